#!/usr/bin/env bash
# Back up a spool while the service runs, and restore it when none does. Only what is new or changed is copied.
#
#   deploy/backup.sh save SPOOL BACKUP       the databases first, so that each row's image is copied after it
#   deploy/backup.sh restore BACKUP SPOOL    what the backup has; images that came since it was made stay
#
# The backup holds patient data. PostgreSQL's tables are backed up with pg_dump, before `save`. PYTHON names the
# interpreter whose sqlite3 copies the databases (/opt/qsm-plugin/current/bin/python, else python3).
set -euo pipefail
umask 077
installed=/opt/qsm-plugin/current/bin/python
python="${PYTHON:-$([ -x "$installed" ] && echo "$installed" || echo python3)}"
# What a spool has beside these belongs to a service that runs: locks, its reserve, what it reports of itself.
kept=(images jobs conflicts quarantine console audit audit.log commitments retention.json self-test.json)

fail() { echo "backup.sh: $*" >&2; exit 1; }

copy() {  # FROM TO: new and changed files, never an unfinished one; again, where the service renamed one meanwhile
  local name
  for name in "${kept[@]}"; do
    [ -e "$1/$name" ] || continue
    cp -Rpu "$1/$name" "$2/" 2>/dev/null || cp -Rpu "$1/$name" "$2/" 2>/dev/null || cp -Rpu "$1/$name" "$2/"
  done
  find "$2" -depth -name '.part-*' -exec rm -rf {} +
}

copy_database() {  # FROM TO: a consistent copy, whoever writes meanwhile
  "$python" - "$1" "$2" <<'PYTHON'
import contextlib, os, sqlite3, sys
source, target = sys.argv[1:]
part = target + ".part"
with contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)) as now:
    with contextlib.closing(sqlite3.connect(part)) as then:
        now.backup(then)
        if then.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            sys.exit(f"{source} is damaged; the earlier copy is kept")
os.replace(part, target)
PYTHON
}

save() {
  [ -d "$1/images" ] || fail "$1 is not a spool: it has no folder images"
  mkdir -p "$2"
  local database
  for database in index.sqlite jobs.sqlite; do
    if [ -e "$1/$database" ]; then copy_database "$1/$database" "$2/$database"; fi
  done
  copy "$1" "$2"
}

restore() {
  [ -d "$1/images" ] || fail "$1 is not a backup: it has no folder images"
  mkdir -p "$2"
  exec 9>>"$2/.service.lock"
  flock --nonblock 9 || fail "a service uses $2; stop it first"
  local database aside
  aside="$2/replaced-$(date +%Y%m%dT%H%M%S)"
  for database in "$2"/*.sqlite "$2"/*.sqlite-wal "$2"/*.sqlite-shm; do
    if [ -e "$database" ]; then mkdir -p "$aside" && mv "$database" "$aside/"; fi
  done
  for database in "$1"/*.sqlite; do
    if [ -e "$database" ]; then cp -p "$database" "$2/"; fi
  done
  copy "$1" "$2"
  [ "$(id -u)" -ne 0 ] || chown -R --reference="$2" "$2"
}

[ $# -eq 3 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 2; }
case "$1" in
  save | restore) "$@" ;;
  *) fail "unknown action $1: save or restore" ;;
esac
