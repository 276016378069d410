"""A backup made while images come, restored: what was acknowledged is there, and what came later is found again."""

import hashlib
import re
import subprocess
import sys
from contextlib import closing

import pytest

from plugin.files import locked
from plugin.intake.completion import State
from plugin.intake.recovery import prepare_index, recover
from plugin.intake.spool import Spool
from tests.deploy.support import DEPLOY, ROOT, run
from tests.support.intake import QUIET, Site
from tests.support.synthetic import write_small_scan


def backup(*arguments):
    return run(DEPLOY / "backup.sh", *arguments, env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"})


def images(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).digest() for path in folder.glob("images/*/*/*.dcm")}


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return write_small_scan(tmp_path_factory.mktemp("scan"))


@pytest.fixture
def an_hour_ago(scan, tmp_path):
    """A spool that was backed up when half of a series was there; return spool, backup and what the spool holds now."""
    site, half = Site(tmp_path / "spool"), len(scan) // 2
    site.send(scan[:half], "first")
    (site.spool.folder / "images" / ".part-unfinished").touch()
    backup("save", site.spool.folder, tmp_path / "backup")  # the service has the index open
    site.send(scan[half:], "second")
    site.spool.index.close()
    return site.spool.folder, tmp_path / "backup", images(site.spool.folder)


VOLATILE = (
    {".reserve", "trash", "work", "journal.jsonl", "index.sqlite"}
    | {f"{name}.json" for name in ("echoes", "engines", "processes", "rejections", "self-test-port", "job", "report")}
    | {"recent-log.jsonl", "self-test.request", "qsm", "pictures"}
)
"""What belongs to a running service, is copied in another way, or is in the folder of a job."""


def test_everything_in_a_spool_is_backed_up_or_belongs_to_a_running_service():
    kept = re.search(r"^kept=\((.*)\)", (DEPLOY / "backup.sh").read_text(), flags=re.MULTILINE)[1].split()
    made = set()
    for path in (ROOT / "plugin").rglob("*.py"):
        if not {"cli", "lab"} & set(path.parts):
            made |= set(
                re.findall(r'^_?[A-Z_]+_(?:FILE|FOLDER)(?:: \w+)? = "(.+)"', path.read_text(), flags=re.MULTILINE)
            )
    assert {"index.sqlite", "retention.json", "console"} <= made
    assert made - VOLATILE - set(kept) == set()


def test_a_backup_is_private_whole_and_free_of_unfinished_files(an_hour_ago, scan):
    spool, copy, now = an_hour_ago
    assert copy.stat().st_mode & 0o077 == 0
    assert len(images(copy)) == len(scan) // 2
    assert images(copy).items() <= now.items()
    assert list(copy.rglob(".part-*")) == []
    backup("save", spool, copy)
    assert images(copy) == now


def test_databases_of_an_hour_ago_beside_the_images_of_now_lose_nothing(an_hour_ago, scan):
    spool, copy, now = an_hour_ago
    backup("restore", copy, spool)
    assert images(spool) == now
    prepare_index(spool)
    with closing(Spool(spool).index) as index:
        recovered = recover(Spool(spool))
        assert recovered.images == len(scan) - len(scan) // 2
        assert len(index.paths()) == len(scan)
    assert Site(spool).pass_after(1e10) == [State.QUEUED]
    assert [path.name for path in spool.glob("replaced-*/*.sqlite")] == ["index.sqlite"]


def test_a_spool_of_an_hour_ago_on_an_empty_disk_knows_what_is_missing_and_takes_it_again(an_hour_ago, scan, tmp_path):
    _, copy, now = an_hour_ago
    spool = tmp_path / "new"
    backup("restore", copy, spool)
    prepare_index(spool)
    site = Site(spool)
    assert recover(site.spool).images == 0
    assert site.pass_after(2 * QUIET) == [State.INCOMPLETE]
    site.send(scan, "again")  # the scanner or the PACS sends the series once more
    assert site.pass_after(2 * QUIET) == [State.QUEUED]
    assert images(spool) == now
    site.spool.index.close()


def test_nothing_is_restored_under_a_running_service_or_from_another_folder(an_hour_ago, tmp_path):
    spool, copy, now = an_hour_ago
    with locked(spool / ".service.lock"):
        refused = subprocess.run([DEPLOY / "backup.sh", "restore", copy, spool], capture_output=True, text=True)
    assert refused.returncode == 1
    assert "stop it first" in refused.stderr
    assert images(spool) == now
    other = subprocess.run([DEPLOY / "backup.sh", "restore", tmp_path, spool], capture_output=True, text=True)
    assert "not a backup" in other.stderr
