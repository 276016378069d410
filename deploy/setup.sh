#!/usr/bin/env bash
# Make .venv with the pinned packages, and install the Debian packages that the tests' real peers need.
# Idempotent: the second run only checks. Root or sudo is needed for the Debian packages only.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3.11}"
command -v "$python" >/dev/null || python=python3
peers=(dcmtk orthanc dicom3tools postgresql chromium prometheus libfaketime)

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

is_installed() {
  dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

# Orthanc and PostgreSQL would start as daemons at once; here they are only programs that the tests run themselves.
without_daemons() {
  local policy=/usr/sbin/policy-rc.d status=0
  if [ -e "$policy" ]; then as_root "$@"; return; fi
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null || return 1
  as_root chmod 755 "$policy"
  as_root "$@" || status=$?
  as_root rm -f "$policy"
  return "$status"
}

install_debian() {
  local missing=()
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "Installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq && without_daemons env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

make_environment() {
  "$python" -m venv .venv 2>/dev/null && return 0
  rm -rf .venv
  install_debian python3-venv && "$python" -m venv .venv && return 0
  echo "Python's venv module is missing; have an administrator run: apt-get install python3-venv" >&2
  return 1
}

# Debian's packages come while Python's are installed.
installed=0
if command -v apt-get >/dev/null; then
  if [ ! -x .venv/bin/python ]; then make_environment; fi
  install_debian "${peers[@]}" &
  installed=$!
fi
stamp=".venv/.complete-$(cat pyproject.toml deploy/constraints.txt deploy/setup.sh | sha256sum | cut -c1-16)"
if [ ! -f "$stamp" ]; then
  [ -x .venv/bin/python ] || make_environment
  echo "Installing Python packages (a few minutes the first time)"
  pip=(.venv/bin/python -m pip install --quiet --no-compile --disable-pip-version-check)
  pip+=(-c deploy/constraints.txt)
  "${pip[@]}" torch==2.13.0
  "${pip[@]}" -e '.[test]'
  rm -f .venv/.complete-*
  touch "$stamp"
fi
if [ "$installed" -ne 0 ] && ! wait "$installed"; then
  echo "Could not install ${peers[*]} (no root?): tests that talk to these peers will be skipped, saying so."
fi
