"""The install script below a root of its own, with programs that only say how they were called."""

import os
import subprocess

import pytest

from tests.deploy.support import DEPLOY, run, tool

PYTHON = """#!/bin/sh
echo "python $*" >> "$CALLS"
case "$1" in
  -c) exit 0 ;;
  -m) [ "$2" = venv ] || exit 0
      mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$PROGRAM" "$3/bin/qsm-plugin" ;;
esac
"""
PROGRAM = """#!/bin/sh
echo "qsm-plugin $1 from $(basename "$(dirname "$(dirname "$0")")") caches $NUMBA_CACHE_DIR" >> "$CALLS"
[ "$1" != "$FAILS" ]
"""


class Machine:
    """A root to install below."""

    def __init__(self, folder):
        self.root, self.calls = folder / "root", folder / "calls"
        self.python, program = folder / "python3", folder / "qsm-plugin"
        for path, text in ((self.python, PYTHON), (program, PROGRAM)):
            path.write_text(text)
            path.chmod(0o755)
        self.surroundings = {"PATH": os.environ["PATH"], "CALLS": self.calls, "PROGRAM": program, "PYTHON": self.python}
        self.program = self.root / "opt" / "qsm-plugin"
        self.spool = self.root / "var" / "lib" / "qsm-plugin"
        self.configuration = self.root / "etc" / "qsm-plugin" / "site.toml"

    def install(self, *arguments, fails="", status=0):
        """Run the script; return what it called."""
        self.calls.write_text("")
        command = [DEPLOY / "install.sh", "--root", self.root, *arguments]
        surroundings = {**self.surroundings, "FAILS": fails}
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        self.said = done.stdout + done.stderr
        return [line.partition(" caches")[0] for line in self.calls.read_text().splitlines()]

    def version(self, link="current"):
        return os.path.basename(os.readlink(self.program / link))


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def wheels(tmp_path):
    """Two wheels, an older and a newer one."""
    found = [tmp_path / f"qsm_plugin-{version}-py3-none-any.whl" for version in ("0.1.0", "0.2.0")]
    for path in found:
        path.write_text(path.name)
    return found


def test_the_scripts_are_clean():
    run(tool("shellcheck"), *sorted(DEPLOY.rglob("*.sh")))


def test_it_installs_prepares_as_the_service_runs_and_changes_nothing_the_second_time(machine):
    calls = machine.install()
    version = machine.version()
    assert [line for line in calls if line.startswith("qsm-plugin")] == [
        f"qsm-plugin check from {version}",
        f"qsm-plugin prepare from {version}",
    ]
    assert f"caches {machine.root}/var/cache/qsm-plugin/numba" in machine.calls.read_text()
    pip = next(line for line in calls if " pip install " in line)
    assert f"-c {DEPLOY}/constraints.txt" in pip
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in pip  # with a GPU, PyPI's own
    assert pip.endswith(f" {DEPLOY}/..")
    assert machine.configuration.read_bytes() == (DEPLOY / "systemd" / "site.toml").read_bytes()
    assert machine.configuration.stat().st_mode & 0o777 == 0o640
    assert machine.spool.stat().st_mode & 0o777 == 0o700
    unit = machine.root / "etc" / "systemd" / "system" / "qsm-plugin.service"
    assert unit.read_bytes() == (DEPLOY / "systemd" / "qsm-plugin.service").read_bytes()
    machine.configuration.write_text("# the site's own\n")
    assert not [line for line in machine.install() if "pip" in line or "venv" in line or "migrate" in line]
    assert machine.configuration.read_text() == "# the site's own\n"
    assert machine.version() == version


def test_a_dry_run_says_everything_and_does_nothing(machine):
    assert machine.install("--dry-run", "--gpu") == [
        "python -c import sys; sys.exit(sys.version_info < (3, 11))",
    ]
    assert not machine.root.exists()
    for what in ("-m venv", "[tensorrt-rtx]", "prepare", "site.toml", "qsm-plugin.service", "gpu.conf"):
        assert what in machine.said


def test_an_upgrade_saves_the_databases_and_a_roll_back_restores_them_where_it_must(machine, wheels):
    machine.install("install", wheels[0])
    old, index = machine.version(), machine.spool / "index.sqlite"
    index.write_text("old")
    calls = machine.install("install", wheels[1])
    new = machine.version()
    assert f"qsm-plugin migrate from {new}" in calls
    assert machine.version("previous") == old != new
    index.write_text("new")
    assert machine.install("rollback") == [f"qsm-plugin status from {old}"]
    assert (machine.version(), index.read_text()) == (old, "new")  # the older program reads them
    machine.install("install", wheels[1])
    index.write_text("newest")
    machine.install("rollback", fails="status")
    assert index.read_text() == "new"
    assert (machine.spool / f"databases-of-{new}" / "index.sqlite").read_text() == "newest"


@pytest.mark.parametrize(("fails", "said"), [("migrate", "runs again"), ("check", "nothing was changed")])
def test_an_upgrade_that_fails_leaves_the_old_version(machine, wheels, fails, said):
    machine.install("install", wheels[0])
    old = machine.version()
    (machine.spool / "index.sqlite").write_text("old")
    machine.install("install", wheels[1], fails=fails, status=2)
    assert said in machine.said
    assert machine.version() == old
    assert (machine.spool / "index.sqlite").read_text() == "old"


def test_uninstalling_keeps_spool_and_configuration(machine):
    machine.install()
    (machine.spool / "images").mkdir()
    machine.install("uninstall")
    assert not machine.program.exists()
    assert not list(machine.root.rglob("*.service"))
    assert (machine.spool / "images").exists()
    assert machine.configuration.exists()


@pytest.mark.parametrize("arguments", [["--wrong"], ["rollback"], ["install", "--no-start", "wheel"]])
def test_wrong_usage_is_refused(machine, arguments):
    machine.install(*arguments, status=2)
    assert not machine.program.exists()
