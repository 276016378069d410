#!/usr/bin/env bash
# Install qsm-plugin as a systemd service, upgrade it, roll it back or uninstall it. Every action may be repeated.
#
#   deploy/install.sh [OPTIONS] [install [WHEEL]]   install, or upgrade: from this folder's source, or from a wheel
#   deploy/install.sh [OPTIONS] rollback            go back to the version before the last upgrade
#   deploy/install.sh [OPTIONS] uninstall           remove the program; configuration and spool stay
#
#   --dry-run        print what would be done, and do nothing
#   --gpu            for a machine with an NVIDIA GPU: its engines, and access to its devices
#   --offline DIR    take Python packages from the wheels in a folder, not from the network
#   --root DIR       install below another root: files alone, without users and services
#   --no-start       leave the service as it is: stopped, or with the old version until it is restarted
#
# PYTHON names the interpreter (3.11 or newer; python3 by default), TORCH_INDEX where torch for CPUs is found, which
# PyPI has for GPUs alone.
set -euo pipefail
umask 022
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
python="${PYTHON:-python3}"
root='' dry='' gpu='' offline='' start=yes action=install source='' changed=''

fail() { echo "install.sh: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry=yes ;;
    --gpu) gpu=yes ;;
    --no-start) start='' ;;
    --offline) offline="$(realpath -e "${2:?--offline needs a folder}")"; shift ;;
    --root) root="$(realpath -m "${2:?--root needs a folder}")"; shift ;;
    install) action=install; if [ $# -gt 1 ] && [ "${2#--}" = "$2" ]; then source="$(realpath -e "$2")"; shift; fi ;;
    rollback | uninstall) action="$1" ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) fail "unknown argument $1; see --help" ;;
  esac
  shift
done

user=qsm unit=qsm-plugin.service
program="$root/opt/qsm-plugin" configuration="$root/etc/qsm-plugin"
spool="$root/var/lib/qsm-plugin" cache="$root/var/cache/qsm-plugin" units="$root/etc/systemd/system"
saved="$spool/databases-before-upgrade"

say() { echo "${dry:+would }$*"; }
run() { if [ -n "$dry" ]; then echo "would run: $*"; else "$@"; fi; }

# What changes more than files is for a real machine only.
on_machine() { if [ -z "$root" ]; then run "$@"; fi; }

# As the service runs: the same user and caches, so that it finds what is compiled.
as_service() {
  local with=(env "CACHE_DIRECTORY=$cache" "NUMBA_CACHE_DIR=$cache/numba" "MPLCONFIGDIR=$cache/matplotlib")
  if [ -n "$root" ]; then run "${with[@]}" "$@"; else run runuser -u "$user" -- "${with[@]}" "$@"; fi
}

folder() {  # MODE FOLDER [GROUP|OWNER]
  local owner=()
  if [ -z "$root" ] && [ $# -gt 2 ]; then owner=(-o "${3%:*}" -g "${3#*:}"); fi
  run install -d -m "$1" "${owner[@]}" "$2"
}

file() {  # MODE FROM TO: only where it differs
  if ! cmp -s "$2" "$3"; then changed=yes; run install -D -m "$1" "$2" "$3"; fi
}

check_machine() {
  [ -n "$dry$root" ] || [ "$(id -u)" -eq 0 ] || fail "root is needed; run it with sudo, or see --dry-run"
  [ -n "$root" ] || command -v systemctl >/dev/null || fail "this machine has no systemd; see OPERATIONS.md for containers"
}

current() { readlink "$program/$1" 2>/dev/null | sed 's|.*/||' || true; }

name_of_version() {
  if [ -n "$source" ]; then sha256sum "$source"; else
    (cd "$here/.." && find plugin recon dicom_io pyproject.toml deploy/constraints.txt -type f \
      ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  fi | cut -c1-12
}

make_environment() {  # FOLDER
  [ ! -e "$1/.complete" ] || return 0
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than 3.11; name another interpreter in PYTHON"
  say "install Python packages into $1 (some minutes)"
  local from=() what="${source:-$here/..}${gpu:+[tensorrt-rtx]}"
  if [ -n "$offline" ]; then
    from=(--no-index --find-links "$offline")
  elif [ -z "$gpu" ]; then
    from=(--extra-index-url "${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}")
  fi
  run rm -rf "$1"
  run "$python" -m venv "$1"
  run "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
    -c "$here/constraints.txt" "${from[@]}" "$what"
  run touch "$1/.complete"
}

stop_service() { on_machine systemctl stop "$unit"; }

start_service() {
  [ -n "$start" ] || return 0
  on_machine systemctl daemon-reload
  on_machine systemctl enable --quiet "$unit"
  on_machine systemctl "$([ -n "$changed" ] && echo restart || echo start)" "$unit"
}

switch_to() {  # VERSION: in one step, so that there is always a program
  [ "$(current current)" != "$1" ] || return 0
  changed=yes
  run ln -sfn "versions/$1" "$program/current.new"
  run mv -fT "$program/current.new" "$program/current"
}

copy_databases() {  # FROM TO: SQLite's files of a stopped service; PostgreSQL is backed up with its own tools
  local found
  for found in "$1"/*.sqlite "$1"/*.sqlite-wal; do
    if [ -e "$found" ]; then run cp -p "$found" "$2/"; fi
  done
}

restore_databases() {
  local found
  for found in "$spool"/*.sqlite "$spool"/*.sqlite-wal "$spool"/*.sqlite-shm; do
    if [ -e "$found" ]; then run rm "$found"; fi
  done
  copy_databases "$saved" "$spool"
}

upgrade() {  # OLD NEW
  [ -n "$start" ] || fail "an upgrade stops the service; leave --no-start out"
  say "upgrade from $1 to $2"
  stop_service
  run rm -rf "$saved"
  folder 0700 "$saved" "$user:$user"
  copy_databases "$spool" "$saved"
  if ! as_service "$program/versions/$2/bin/qsm-plugin" migrate --config "$configuration/site.toml"; then
    restore_databases
    start_service
    fail "the databases cannot be brought up to date; version $1 runs again"
  fi
  run ln -sfn "versions/$1" "$program/previous"
}

install_units() {
  file 0644 "$here/systemd/$unit" "$units/$unit"
  if [ -n "$gpu" ]; then file 0644 "$here/systemd/gpu.conf" "$units/$unit.d/gpu.conf"; fi
}

install_program() {
  local new old
  new="$(name_of_version)" old="$(current current)"
  [ -n "$root" ] || id "$user" >/dev/null 2>&1 || on_machine useradd --system --user-group --no-create-home \
    --home-dir /var/lib/qsm-plugin --shell /usr/sbin/nologin "$user"
  folder 0755 "$program/versions"
  folder 0750 "$configuration" "root:$user"
  folder 0700 "$spool" "$user:$user"
  folder 0700 "$cache" "$user:$user"
  make_environment "$program/versions/$new"
  if [ ! -e "$configuration/site.toml" ]; then
    run install -m 0640 "$here/systemd/site.toml" "$configuration/site.toml"
    on_machine chgrp "$user" "$configuration/site.toml"
  fi
  as_service "$program/versions/$new/bin/qsm-plugin" check "$configuration/site.toml" ||
    fail "the configuration does not suit version $new; nothing was changed"
  as_service "$program/versions/$new/bin/qsm-plugin" prepare --config "$configuration/site.toml"
  if [ -n "$old" ] && [ "$old" != "$new" ]; then upgrade "$old" "$new"; fi
  switch_to "$new"
  install_units
  start_service
  say "run version $new; configure it in $configuration/site.toml, then: systemctl reload qsm-plugin"
}

roll_back() {
  local old new late
  old="$(current previous)" new="$(current current)"
  [ -n "$old" ] || fail "there is no version to go back to"
  say "go back from $new to $old"
  stop_service
  switch_to "$old"
  run ln -sfn "versions/$new" "$program/previous"
  # An older program refuses newer databases; images that came since are indexed again from their files.
  if ! as_service "$program/versions/$old/bin/qsm-plugin" status --config "$configuration/site.toml" >/dev/null; then
    late="$spool/databases-of-$new"
    say "restore the databases of $old; those of $new are kept in $late"
    folder 0700 "$late" "$user:$user"
    copy_databases "$spool" "$late"
    restore_databases
  fi
  start_service
}

uninstall() {
  if [ -e "$units/$unit" ]; then on_machine systemctl disable --now "$unit"; fi
  run rm -rf "$units/$unit" "$units/$unit.d" "$program" "$cache"
  on_machine systemctl daemon-reload
  say "keep the configuration in $configuration and the spool in $spool; they hold patient data"
}

check_machine
cd /
case "$action" in
  install) install_program ;;
  rollback) roll_back ;;
  uninstall) uninstall ;;
esac
