"""An index that was lost, damaged or restored from a backup: every acknowledged image is indexed and used again."""

import hashlib
import shutil
import sqlite3
from contextlib import closing, contextmanager
from functools import partial

import pytest
from pydicom import dcmread

from plugin.config.settings import Disk, Settings
from plugin.errors import SpoolError
from plugin.intake.assembly import Assembler
from plugin.intake.completion import State
from plugin.intake.database.schema import VERSION
from plugin.intake.index import INDEX_FILE, Index, index_url, migrate_index
from plugin.intake.receiver import start_receiver
from plugin.intake.recovery import QUARANTINE, prepare_index
from plugin.intake.spool import Spool
from tests.support.loopback import free_port, mr_image, scanner, send_images
from tests.support.synthetic import write_small_scan

QUIET = 60.0


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return [dcmread(path) for path in write_small_scan(tmp_path_factory.mktemp("scan"))]


@contextmanager
def service(folder):
    """A receiver and an assembler on a spool, in this process, and the jobs that were submitted."""
    prepare_index(folder)
    settings = Settings(port=free_port(), spool=folder, disk=Disk(reserve_gib=0, used_percent=100), quiet_seconds=QUIET)
    spool, jobs = Spool(folder), []
    server = start_receiver(settings, spool)
    try:
        yield settings.port, spool, jobs
    finally:
        server.shutdown()
        spool.index.close()


def assemble(spool, jobs):
    """Let an assembler decide, long after the last image, and return the states of the acquisitions."""
    now = spool.index.unread_images()[-1].received_at + 2 * QUIET
    assembler = Assembler(spool, jobs.append, settings=Settings(quiet_seconds=QUIET), clock=lambda: now)
    assembler.run_pass()
    return [row.state for row in spool.index.acquisitions()]


def stored(folder):
    """Return the digest of every file of an image in a spool."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("images/*/*/*.dcm")}


@pytest.fixture(scope="module")
def received(scan, tmp_path_factory):
    """A spool whose index was copied after half of the images, and the job of all of them."""
    folder = tmp_path_factory.mktemp("received") / "spool"
    folder.mkdir()
    with service(folder) as (port, spool, jobs):
        assert set(send_images(port, scan[: len(scan) // 2])) == {0x0000}
        with (
            closing(sqlite3.connect(folder / INDEX_FILE)) as index,
            closing(sqlite3.connect(folder / "backup.sqlite")) as backup,
        ):
            index.backup(backup)
        assert set(send_images(port, scan[len(scan) // 2 :])) == {0x0000}
        assert assemble(spool, jobs) == [State.QUEUED]
    return folder, jobs


def restored(received, folder):
    shutil.copytree(received[0], folder)
    for path in folder.glob(f"{INDEX_FILE}*"):
        path.unlink()
    return folder


@pytest.mark.parametrize("backup", [True, False], ids=["of-an-hour-ago", "none"])
@pytest.mark.parametrize("jobs_kept", [True, False])
def test_a_restored_or_deleted_index_gets_every_acknowledged_image_again(received, tmp_path, scan, backup, jobs_kept):
    folder = restored(received, tmp_path / "spool")
    if backup:
        shutil.move(folder / "backup.sqlite", folder / INDEX_FILE)
    if not jobs_kept:
        shutil.rmtree(folder / "jobs")
    before = stored(folder)
    with service(folder) as (_, spool, jobs):
        assert stored(folder) == before
        assert len(before) == len(scan)
        assert spool.index.counts()["received"] == len(scan)
        association = spool.index.unread_images()[-1].association
        assert assemble(spool, jobs) == [State.QUEUED]
        assert jobs == received[1]
        (row,) = spool.index.jobs(next(iter(spool.index.acquisitions())).study)
        assert row.job == jobs[0]
        sender = spool.index.associations([association])[association]
        assert (sender.calling_ae, sender.address) == ("SCANNER", "127.0.0.1")


@pytest.mark.parametrize("damage", ["truncated", "empty", "not-a-database"])
def test_a_damaged_index_is_kept_beside_and_made_again(received, tmp_path, scan, damage):
    folder = restored(received, tmp_path / "spool")
    content = (folder / "backup.sqlite").read_bytes()
    shown = {"truncated": content[: len(content) // 2], "empty": b"", "not-a-database": b"x" * 5000}[damage]
    (folder / INDEX_FILE).write_bytes(shown)
    with service(folder) as (_, spool, jobs):
        assert spool.index.counts()["received"] == len(scan)
        assert assemble(spool, jobs) == [State.QUEUED]
        assert jobs == received[1]
    aside = [path.read_bytes() for path in folder.glob(f"damaged-*-{INDEX_FILE}")]
    assert aside == ([] if damage == "empty" else [shown])


def test_an_image_without_a_row_keeps_its_association_lost_and_two_show_an_old_index(tmp_path):
    """One may have been on its way when the service died; its association was then cut off."""
    images = [mr_image("s", "1", number) for number in range(3)]
    with service(tmp_path) as (port, spool, _):
        with scanner(port, images=images) as association:
            assert {association.send_c_store(image).Status for image in images} == {0x0000}
        names = [row.association for row in spool.index.unread_images()]
    for deleted, how in ((1, "released"), (2, "recovered")):
        with closing(sqlite3.connect(tmp_path / INDEX_FILE)) as index:
            index.execute(f"DELETE FROM image WHERE image IN (SELECT image FROM image LIMIT {deleted})")
            index.commit()
        with service(tmp_path) as (_, spool, _jobs):
            assert spool.index.counts()["received"] == len(images)
            assert spool.index.associations(names)[names[0]].ended_how == how


def test_conflicts_are_indexed_again(tmp_path):
    first, second = mr_image("s", "1", 1), mr_image("s", "1", 1)
    second.PixelData = b"\x01" * len(second.PixelData)
    with service(tmp_path) as (port, _, _jobs):
        assert send_images(port, [first, second]) == [0x0000, 0x0111]
    (tmp_path / INDEX_FILE).unlink()
    with service(tmp_path) as (port, spool, _jobs):
        assert spool.index.counts() == {"received": 1, "ignored": 0, "unread": 1, "conflicts": 1}
        assert send_images(port, [first, second]) == [0x0000, 0x0111]


def test_an_object_that_another_host_keeps_in_its_journal_does_not_replace_the_image_whose_uid_it_has(tmp_path):
    first, moved = mr_image("s", "1", 1), mr_image("s", "2", 1)
    moved.SOPInstanceUID = moved.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    for folder in ("other", "spool"):
        (tmp_path / folder).mkdir()
    with service(tmp_path / "other") as (port, _, _jobs):
        assert send_images(port, [moved]) == [0x0000]
    with service(tmp_path / "spool") as (port, spool, _jobs):
        assert send_images(port, [first]) == [0x0000]
        paths = spool.index.paths()
    shutil.copytree(tmp_path / "other" / "images", tmp_path / "spool" / "images", dirs_exist_ok=True)
    with service(tmp_path / "spool") as (_, spool, _jobs):
        assert spool.index.paths() == paths
        assert spool.index.counts()["conflicts"] == len(list((tmp_path / "spool" / "conflicts").iterdir())) == 1


def test_a_file_that_is_not_what_its_name_says_is_quarantined(tmp_path):
    with service(tmp_path) as (port, _, _jobs):
        send_images(port, [mr_image("s", "1", 1)])
    (path,) = tmp_path.glob("images/*/*/*.dcm")
    path.with_name("other.dcm").write_bytes(path.read_bytes())
    path.with_name("empty.dcm").write_bytes(b"")
    with service(tmp_path) as (_, spool, _jobs):
        assert spool.index.counts()["received"] == 1
    assert sorted(one.name.rpartition("-")[2] for one in (tmp_path / QUARANTINE).iterdir()) == [
        "empty.dcm",
        "other.dcm",
    ]


def test_an_image_whose_file_is_gone_is_stored_when_it_comes_again(tmp_path):
    image = mr_image("s", "1", 1)
    with service(tmp_path) as (port, _, _jobs):
        send_images(port, [image])
        (path,) = tmp_path.glob("images/*/*/*.dcm")
        path.unlink()
        assert send_images(port, [image]) == [0x0000]
        assert path.exists()


def test_a_lost_job_database_is_filled_again_from_the_index(received, tmp_path):
    folder = tmp_path / "spool"
    shutil.copytree(received[0], folder)
    with closing(Spool(folder).index) as index:
        (job,), again = received[1], []
        assembler = Assembler(Spool(folder), again.append, settings=Settings())
        assembler.submit_lost({job})
        assert again == []
        assembler.submit_lost(set())
        assert again == [job] == index.submitted()


def test_an_older_index_is_refused_until_it_is_migrated_and_a_newer_one_always(tmp_path):
    path = tmp_path / INDEX_FILE
    Index(index_url(tmp_path)).close()
    with closing(sqlite3.connect(path)) as index:
        index.execute("ALTER TABLE image DROP COLUMN attempts")
        index.execute("ALTER TABLE association DROP COLUMN owner")
        index.execute("DROP TABLE heartbeat")
        index.execute("DROP TABLE protocol")
        index.execute("DROP INDEX image_received")
        index.execute("PRAGMA user_version = 1")
    with pytest.raises(SpoolError, match="run qsm-plugin migrate"):
        prepare_index(tmp_path)
    migrate_index(Settings(spool=tmp_path))
    prepare_index(tmp_path)
    with closing(sqlite3.connect(path)) as index:
        index.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    for use in (partial(prepare_index, tmp_path), partial(migrate_index, Settings(spool=tmp_path))):
        with pytest.raises(SpoolError, match="run the newer program"):
            use()
    assert path.read_bytes() == before


def test_an_index_that_was_replaced_is_noticed(tmp_path):
    with closing(Index(index_url(tmp_path))) as index:
        assert not index.is_replaced()
        (tmp_path / INDEX_FILE).unlink()
        assert index.is_replaced()
