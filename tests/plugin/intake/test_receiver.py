import hashlib
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import warnings
from contextlib import contextmanager

import pytest
from pydicom import dcmread
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from sqlalchemy.exc import OperationalError

from dicom_io.source.file import read_image_file
from plugin.config.service_settings import Audit
from plugin.config.settings import Caller, Disk, Settings
from plugin.errors import PortTakenError
from plugin.intake import admission, receiver
from plugin.intake.admission import is_allowed
from plugin.intake.receiver import start_receiver, study_and_series
from plugin.intake.spool import Spool
from plugin.log import uid_hash
from plugin.network.rejections import rejections_in
from tests.support.loopback import dcmtk, free_port, mr_image, scanner, send_images, storescu, wait_for

ROOMY = Disk(reserve_gib=0, used_percent=100)


@contextmanager
def receiving(folder, **changes):
    settings = Settings(port=free_port(), spool=folder, disk=ROOMY).model_copy(update=changes)
    spool = Spool(folder)
    server = start_receiver(settings, spool)
    try:
        yield settings, spool
    finally:
        server.shutdown()
        spool.index.close()


def stored(folder):
    return sorted((folder / "images").rglob("*.dcm"))


def test_an_acknowledged_image_is_on_the_disk_as_it_was_sent(tmp_path):
    image = mr_image("s", "1", 1)
    with receiving(tmp_path) as (settings, spool):
        assert send_images(settings.port, [image]) == [0x0000]
        (row,) = spool.index.unread_images()
    path = tmp_path / row.path
    assert dcmread(path) == image
    assert row.study == uid_hash(image.StudyInstanceUID)
    assert row.series == uid_hash(image.SeriesInstanceUID)
    assert path.stem == uid_hash(image.SOPInstanceUID)
    assert hashlib.sha256(path.read_bytes()).hexdigest() != row.digest  # the digest leaves the file meta out
    assert read_image_file(path).content_sha256() == row.digest


def test_folders_and_files_belong_to_the_service_alone_and_name_nobody(tmp_path):
    with receiving(tmp_path / "spool") as (settings, _):
        send_images(settings.port, [mr_image("s", "1", n) for n in range(2)])
    for path in (tmp_path / "spool").rglob("*"):
        assert "PLANTED" not in str(path)
        allowed = 0o700 if path.is_dir() else 0o600
        if path.name.startswith("index.sqlite"):
            assert b"PLANTED" not in path.read_bytes()
        else:
            assert stat.S_IMODE(path.stat().st_mode) == allowed


def test_the_same_image_again_changes_nothing(tmp_path):
    image = mr_image("s", "1", 1)
    with receiving(tmp_path) as (settings, spool):
        assert send_images(settings.port, [image, image]) == [0x0000, 0x0000]
        before = stored(tmp_path)[0].stat().st_mtime_ns
        assert send_images(settings.port, [image]) == [0x0000]
        assert spool.index.counts()["received"] == 1
    assert stored(tmp_path)[0].stat().st_mtime_ns == before


def test_the_same_uid_with_other_content_keeps_the_first(tmp_path):
    first, second = mr_image("s", "1", 1), mr_image("s", "1", 1)
    second.PixelData = b"\x01" * len(second.PixelData)
    with receiving(tmp_path) as (settings, spool):
        assert send_images(settings.port, [first, second, second]) == [0x0000, 0x0111, 0x0111]
        assert spool.index.counts()["conflicts"] == 1
    assert dcmread(stored(tmp_path)[0]).PixelData == first.PixelData
    (aside,) = (tmp_path / "conflicts").iterdir()
    assert dcmread(aside).PixelData == second.PixelData
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600


def test_two_associations_that_send_the_same_images_at_once_store_each_once(tmp_path):
    images = [mr_image("s", "1", n) for n in range(20)]
    with receiving(tmp_path) as (settings, spool):
        senders = [threading.Thread(target=send_images, args=(settings.port, images)) for _ in range(3)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert spool.index.counts()["received"] == len(images)
    assert len(stored(tmp_path)) == len(images)
    assert not list((tmp_path / "images").glob(".part-*"))


def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path, monkeypatch):
    image = mr_image("s", "1", 1)
    with receiving(tmp_path) as (settings, spool):
        with monkeypatch.context() as patch:
            patch.setattr("plugin.files.os.fsync", _full_disk)
            assert send_images(settings.port, [image]) == [0xA700]
        assert spool.index.counts()["received"] == 0
        assert not [path for path in (tmp_path / "images").rglob("*") if path.is_file()]
        assert send_images(settings.port, [image]) == [0x0000]


def _full_disk(_descriptor):
    raise OSError(28, os.strerror(28))


def test_an_index_that_cannot_be_written_is_said_and_a_resend_heals_it(tmp_path, monkeypatch):
    image = mr_image("s", "1", 1)
    with receiving(tmp_path) as (settings, spool):
        with monkeypatch.context() as patch:
            patch.setattr(spool.index, "add_image", _broken_index)
            assert send_images(settings.port, [image]) == [0xA700]
        assert send_images(settings.port, [image]) == [0x0000]
        assert len(spool.index.unread_images()) == 1
    assert len(stored(tmp_path)) == 1


def _broken_index(_row):
    raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))


def test_before_the_edge_images_and_associations_are_refused(tmp_path, monkeypatch):
    images = [mr_image("s", "1", n) for n in range(2)]
    with receiving(tmp_path) as (settings, _):
        with scanner(settings.port, images=images) as association:
            assert association.send_c_store(images[0]).Status == 0x0000
            for module in (receiver, admission):
                monkeypatch.setattr(module, "shortage", lambda *_: "0.1 GiB free")
            assert association.send_c_store(images[1]).Status == 0xA700
        with scanner(settings.port, images=images) as association:
            assert association.is_rejected


@pytest.mark.parametrize(
    ("callers", "ae_title", "address", "allowed"),
    [
        ((), "ANY", "10.0.0.1", True),
        ((Caller(ae_title="MR1"),), "MR1", "10.0.0.1", True),
        ((Caller(ae_title="MR1"),), "MR2", "10.0.0.1", False),
        ((Caller(ae_title="MR1", host="10.0.0.5"),), "MR1", "10.0.0.6", False),
        ((Caller(ae_title="*", host="10.0.0.5"),), "MR9", "10.0.0.5", True),
    ],
)
def test_callers_are_known_by_title_and_address(callers, ae_title, address, allowed):
    assert is_allowed(callers, ae_title, address) is allowed


def test_an_unknown_caller_is_rejected_and_a_known_one_is_not(tmp_path):
    with receiving(tmp_path, allowed_callers=(Caller(ae_title="MR1"),)) as (settings, _):
        with scanner(settings.port, ae_title="MR2", images=[]) as association:
            assert association.is_rejected
        with scanner(settings.port, ae_title="MR1", called="OTHER", images=[]) as association:
            assert association.is_rejected
        with scanner(settings.port, ae_title="MR1", images=[]) as association:
            assert association.send_c_echo().Status == 0x0000


def test_more_associations_than_allowed_are_rejected_for_now(tmp_path):
    with (
        receiving(tmp_path, maximum_associations=1) as (settings, _),
        scanner(settings.port, images=[]) as first,
        scanner(settings.port, images=[]) as second,
    ):
        assert first.is_established
        assert second.is_rejected


def test_a_peer_that_stops_in_the_middle_of_a_message_gives_its_place_free(tmp_path):
    with (
        receiving(tmp_path, maximum_associations=1, network_silence_seconds=0.5) as (settings, _),
        scanner(settings.port, images=[]) as stalled,
    ):
        stalled.dul.socket.socket.sendall(b"\x04\x00" + (4096).to_bytes(4, "big") + b"abc")

        def is_free():
            with scanner(settings.port, images=[]) as next_one:
                return next_one.is_established

        assert not is_free()
        wait_for(is_free, what="the place is free")


def test_an_identifier_of_letters_costs_nothing_else(tmp_path):
    images = [mr_image("s", "1", number) for number in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images[0].SOPInstanceUID = images[0].file_meta.MediaStorageSOPInstanceUID = UID("1.2.\xe9")
        with receiving(tmp_path) as (settings, _):
            assert send_images(settings.port, images) == [0x0000, 0x0000]
    assert len(stored(tmp_path)) == 2


def test_private_and_damaged_objects_are_accepted_for_the_sake_of_the_rest(tmp_path):
    """Scanners send raw and non-image objects with the images; a refusal would fail their whole batch."""
    private, damaged = mr_image("s", "1", 1), mr_image("s", "1", 2)
    private.SOPClassUID = private.file_meta.MediaStorageSOPClassUID = "1.3.12.2.1107.5.9.1"
    del damaged.StudyInstanceUID
    with receiving(tmp_path) as (settings, spool):
        assert send_images(settings.port, [private, damaged, mr_image("s", "1", 3)]) == [0x0000] * 3
        assert spool.index.counts()["received"] == 3
        assert {row.study for row in spool.index.unread_images()} >= {receiver.UNREADABLE}


def test_ends_of_associations_are_recorded(tmp_path):
    images = [mr_image("s", str(n), n) for n in range(2)]
    with receiving(tmp_path) as (settings, spool):
        send_images(settings.port, images[:1])
        with scanner(settings.port, images=images) as association:
            association.send_c_store(images[1])
            names = [row.association for row in spool.index.unread_images()]
            assert spool.index.associations(names)[names[1]].ended_at is None
            association.abort()

        def ends():
            return [spool.index.associations(names)[name].ended_how for name in names]

        wait_for(lambda: ends() == ["released", "aborted"], what="both ends are recorded")
        assert spool.index.associations(names)[names[0]].calling_ae == "SCANNER"


def test_a_restart_sweeps_half_files_and_ends_open_associations(tmp_path):
    spool = Spool(tmp_path)
    (tmp_path / "images" / ".part-dead").write_bytes(b"half")
    (tmp_path / "images" / "study" / "series").mkdir(parents=True)
    (tmp_path / "images" / "study" / "series" / "dead.dcm").write_bytes(b"renamed, but not in the index")
    spool.index.open_association("a", "MR1", "10.0.0.1", 1.0)
    spool.index.close()
    with receiving(tmp_path) as (_, again):
        assert not [path for path in (tmp_path / "images").rglob("*") if path.is_file()]
        assert again.index.associations(["a"])["a"].ended_how == "lost"


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        spool = Spool(tmp_path)
        with pytest.raises(PortTakenError, match=f"127.0.0.1:{port}"):
            start_receiver(Settings(port=port, spool=tmp_path), spool)
        spool.index.close()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_study_and_series_are_found_without_reading_on(syntax):
    image = mr_image("s", "1", 1)
    data_set = encoded(image, syntax)
    expected = (uid_hash(image.StudyInstanceUID), uid_hash(image.SeriesInstanceUID))
    assert study_and_series(data_set, syntax) == expected
    cut = data_set[: data_set.index(image.SeriesInstanceUID.encode()) + 80]
    assert study_and_series(cut, syntax) == expected


@pytest.mark.parametrize("data_set", [b"", b"\x00", b"\x08\x00\x05\x00XX" + b"\xff" * 40])
def test_damaged_heads_are_unreadable_not_errors(data_set):
    assert study_and_series(data_set, ExplicitVRLittleEndian) == (receiver.UNREADABLE,) * 2
    assert study_and_series(data_set, DeflatedExplicitVRLittleEndian) == (receiver.UNREADABLE,) * 2


def encoded(image, syntax):
    from pydicom.filebase import DicomBytesIO

    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, syntax.is_implicit_VR
    write_dataset(buffer, image)
    return buffer.getvalue()


def test_dcmtk_sends_a_folder(tmp_path):
    dcmtk("storescu")
    (tmp_path / "out").mkdir()
    for n in range(3):
        mr_image("s", "1", n).save_as(tmp_path / "out" / f"{n}.dcm", enforce_file_format=True)
    with receiving(tmp_path / "spool") as (settings, spool):
        storescu(settings.port, tmp_path / "out")
        assert spool.index.counts()["received"] == 3


def test_the_receiver_knows_nothing_of_reconstruction():
    code = "import sys, plugin.intake.receiver; print({'torch', 'scipy', 'recon', 'dbos'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_what_came_on_an_association_is_one_audit_message_a_study_and_a_rejection_is_one(tmp_path):
    audited = {"allowed_callers": (Caller(ae_title="MR1"),), "audit": Audit(to="file")}
    images = [mr_image(study, "1", n) for study in ("s", "t") for n in range(3)]
    other = mr_image("s", "1", 0)
    other.PixelData = b"\x01" * len(other.PixelData)
    with receiving(tmp_path, **audited) as (settings, _):
        assert send_images(settings.port, [*images, other], ae_title="MR1") == [0] * 6 + [0x0111]
        wait_for(lambda: len(messages(tmp_path)) == 2, what="both studies are in the audit trail")
        with scanner(settings.port, ae_title="STRANGER", images=[]) as association:
            assert association.is_rejected
        wait_for(lambda: len(messages(tmp_path)) == 3, what="the rejection is in the audit trail")
        counted = {("image", "conflict", 1), ("association", "unknown-caller", 1)}
        wait_for(lambda: set(rejections_in(tmp_path)) == counted, what="both are counted")
    first, second, alert = messages(tmp_path)
    for message in (first, second):
        assert 'NumberOfInstances="3"' in message
        assert "MR1" in message
    assert "Security Alert" in alert
    assert "STRANGER" in alert


def messages(folder):
    return [path.read_text() for path in sorted((folder / "audit").glob("[0-9]*.xml"))]
