"""PostgreSQL goes away while images arrive: every one is acknowledged, on the disk, and in the index afterwards."""

import os
import threading
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy.exc import SQLAlchemyError

from plugin.config.settings import Disk, Settings
from plugin.intake import journal, receiver
from plugin.intake.journal import JOURNAL_FILE, JournaledIndex
from plugin.intake.receiver import start_receiver
from plugin.intake.spool import Spool
from tests.support.loopback import free_port, mr_image, scanner, send_images, wait_for
from tests.support.postgres import running_server


@pytest.fixture(scope="module")
def server():
    """A server of its own, which is stopped and started."""
    with running_server() as server:
        yield server


@pytest.fixture(autouse=True)
def polling_often(monkeypatch):
    monkeypatch.setattr(journal, "_POLL_SECONDS", 0.1)


@contextmanager
def receiving(folder, url):
    settings = Settings(
        port=free_port(),
        spool=folder / "spool",
        database_url=url,
        host_name="one",
        local_folder=folder / "local",
        disk=Disk(reserve_gib=0, used_percent=100),
    )
    spool = Spool(settings.spool, url, settings.host, settings.local_folder)
    server = start_receiver(settings, spool)
    try:
        yield settings.port, spool.index
    finally:
        server.shutdown()
        spool.index.close()


def test_images_that_come_while_the_database_is_away_are_in_the_index_afterwards(server, tmp_path):
    images = [mr_image("s", "1", number) for number in range(12)]
    other = mr_image("s", "1", 3)
    other.PixelData = b"\x01" * len(other.PixelData)
    moved = mr_image("s", "2", 1)
    moved.SOPInstanceUID = images[1].SOPInstanceUID
    moved.file_meta.MediaStorageSOPInstanceUID = moved.SOPInstanceUID
    with receiving(tmp_path, server.new_database()) as (port, index):
        with scanner(port, images=images) as association:
            statuses = [association.send_c_store(image).Status for image in images[:4]]
            server.stop()
            statuses += [association.send_c_store(image).Status for image in images[4:8]]
            assert association.send_c_store(images[0]).Status == 0x0000  # known, with the same content
            assert association.send_c_store(other).Status == 0x0111
            assert association.send_c_store(moved).Status == 0x0000  # whose UID it has, only the index knows
        assert set(statuses) == {0x0000}
        assert set(send_images(port, images[8:])) == {0x0000}
        assert (tmp_path / "local" / JOURNAL_FILE).stat().st_size > 0
        server.start()
        wait_for(lambda: not (tmp_path / "local" / JOURNAL_FILE).stat().st_size, seconds=30, what="all is repeated")
        rows = index.unread_images()
        assert len(rows) == len(images)
        assert {row.path for row in rows} == {str(p.relative_to(tmp_path / "spool")) for p in files(tmp_path)}
        ends = [(row.ended_how, row.owner) for row in index.associations([row.association for row in rows]).values()]
        assert ends == [("released", "one")] * 2
        assert len(index.conflicts()) == 2
        assert all((tmp_path / "spool" / path).exists() for path in index.conflicts())
        assert set(send_images(port, images)) == {0x0000}  # directly again
        assert (tmp_path / "local" / JOURNAL_FILE).stat().st_size == 0


def files(folder):
    return list((folder / "spool").glob("images/*/*/*.dcm"))


def test_a_receiver_that_dies_meanwhile_repeats_its_journal_at_its_next_start(server, tmp_path):
    images = [mr_image("s", "1", number) for number in range(3)]
    url = server.new_database()
    with receiving(tmp_path, url) as (port, _):
        server.stop()
        assert set(send_images(port, images)) == {0x0000}
    with (tmp_path / "local" / JOURNAL_FILE).open("ab") as file:
        file.write(b'["add_image", {"image"')  # its writing was interrupted
    with pytest.raises(SQLAlchemyError), receiving(tmp_path, url):
        pass
    server.start()
    with receiving(tmp_path, url) as (_, index):
        assert index.counts()["received"] == len(images)
        (row,) = index.associations([index.unread_images()[0].association]).values()
        assert row.ended_how == "released"
    assert os.stat(tmp_path / "local" / JOURNAL_FILE).st_size == 0


def test_an_image_that_another_host_receives_at_the_same_time_is_stored_once_or_as_a_conflict(postgres, tmp_path):
    """Neither sees a row of the other yet; whose file has the name first is the image."""
    same, different = mr_image("s", "1", 1), mr_image("s", "1", 1)
    different.PixelData = b"\x01" * len(different.PixelData)
    with receiving(tmp_path, postgres.new_database()) as (port, index):
        assert send_images(port, [same]) == [0x0000]
        (path,) = files(tmp_path)
        before = path.read_bytes()
        index._write("DELETE FROM image")
        assert send_images(port, [different]) == [0x0111]
        assert send_images(port, [same]) == [0x0000]
        assert path.read_bytes() == before
        assert (index.counts()["received"], index.counts()["conflicts"]) == (1, 1)


@pytest.mark.parametrize("lost", ["DELETE FROM image", "DROP TABLE image"])
def test_a_database_that_comes_back_older_is_noticed_and_filled_from_the_images(server, tmp_path, lost, monkeypatch):
    """The receiver ends, and its next start indexes what has no row."""
    repeat = JournaledIndex._run
    monkeypatch.setattr(JournaledIndex, "_run", lambda _: None)
    monkeypatch.setattr(receiver, "_end_if_replaced", lambda _: None)  # would end this process
    url = server.new_database()
    with receiving(tmp_path, url) as (port, index):
        assert send_images(port, [mr_image("s", "1", 1)]) == [0x0000]
        server.stop()
        assert send_images(port, [mr_image("s", "1", 2)]) == [0x0000]
        assert not index.is_replaced()
        server.start()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"SET search_path = qsm_index; {lost}")
        monkeypatch.undo()
        monkeypatch.setattr(journal, "_POLL_SECONDS", 0.1)
        threading.Thread(target=repeat, args=(index,)).start()
        wait_for(index.is_replaced, what="the receiver notices")
    if lost.startswith("DROP"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA qsm_index CASCADE")
    with receiving(tmp_path, url) as (_, index):
        assert index.counts()["received"] == 2
