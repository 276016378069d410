import multiprocessing
import os
import stat
import sys

import pytest

from plugin.errors import SpoolError
from plugin.files import locked, make_private_folder, replaced_folder, write_private_json


@pytest.fixture
def synced(monkeypatch):
    """What was waited for until it was on the disk, by inode."""
    inodes, fsync = set(), os.fsync

    def remember(descriptor):
        inodes.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", remember)
    return inodes


def test_json_is_on_the_disk_and_private_and_so_are_the_folders_made_for_it(tmp_path, synced):
    path = tmp_path / "jobs" / "one" / "job.json"
    for value in (1, 2):
        write_private_json({"value": value}, path)
    assert path.read_text() == '{\n  "value": 2\n}\n'
    assert {one.stat().st_ino for one in (path, *path.parents[:3])} <= synced
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent)] == [0o600, 0o700]
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "job.json"
    write_private_json(1, path)
    monkeypatch.setattr(os, "fsync", _full_disk)
    with pytest.raises(OSError, match="space"):
        write_private_json(2, path)
    assert path.read_text() == "1\n"
    assert list(tmp_path.iterdir()) == [path]


def _full_disk(_descriptor):
    raise OSError(28, "No space left on device")


def test_a_folder_is_on_the_disk_before_it_takes_the_place_of_the_old_one(tmp_path, synced):
    folder = tmp_path / "work" / "echoes"
    for name in ("old", "new"):
        with replaced_folder(folder) as part:
            (part / name).write_text("")
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert {path.stat().st_ino for path in (folder.parent, folder, folder / "new")} <= synced
    with pytest.raises(ZeroDivisionError), replaced_folder(folder) as part:
        raise ZeroDivisionError
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_a_lock_has_one_holder(tmp_path):
    with locked(tmp_path / "lock"), pytest.raises(BlockingIOError), locked(tmp_path / "lock", wait=False):
        pass
    with locked(tmp_path / "lock", wait=False):
        pass


def test_a_process_that_is_forked_does_not_share_a_lock(tmp_path):
    fork = multiprocessing.get_context("fork")
    begun, ending = fork.Event(), fork.Event()

    def run():
        begun.set()
        ending.wait()

    with locked(tmp_path / "lock"):
        child = fork.Process(target=run, daemon=True)
        child.start()
        assert begun.wait(30)
    with locked(tmp_path / "lock", wait=False):
        assert child.is_alive()
    ending.set()
    child.join(30)
    assert child.exitcode == 0


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SpoolError, match="cannot be created"):
        make_private_folder(tmp_path / "spool")


def test_a_folder_below_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot be created"):
        make_private_folder(tmp_path / "file" / "spool")
