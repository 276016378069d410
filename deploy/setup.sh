#!/usr/bin/env bash
# Make .venv with the pinned packages, and install the Debian packages that the tests' real peers need.
# Idempotent: the second run only checks a stamp. Needs root or sudo for the Debian packages only.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3.11}"
command -v "$python" >/dev/null || python=python3
peers=(dcmtk orthanc dicom3tools)

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

install_debian() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "Installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

stamp=".venv/.complete-$(cat pyproject.toml deploy/constraints.txt deploy/setup.sh | sha256sum | cut -c1-16)"
[ -f "$stamp" ] && exit 0

if command -v apt-get >/dev/null; then
  install_debian "${peers[@]}" ||
    echo "Could not install ${peers[*]} (no root?): tests that talk to these peers will be skipped, saying so."
fi
if [ ! -x .venv/bin/python ]; then
  "$python" -m venv .venv 2>/dev/null || { rm -rf .venv; install_debian python3-venv; "$python" -m venv .venv; }
fi
echo "Installing Python packages (a few minutes the first time)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
.venv/bin/python -m pip install --quiet --disable-pip-version-check -c deploy/constraints.txt -e '.[test]'
rm -f .venv/.complete-*
touch "$stamp"
