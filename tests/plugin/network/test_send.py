from contextlib import contextmanager

import pytest
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import MRImageStorage, Verification

from plugin.errors import UnreachableError
from plugin.network.association import Trouble
from plugin.network.entities import Address, new_ae
from plugin.network.send import DELIVERED, echo, send_files
from tests.support.loopback import free_port, mr_image, pacs, read_folder, storescp


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{n}.dcm" for n in range(6)]
    for n, path in enumerate(paths):
        mr_image("s", "1", n).save_as(path, enforce_file_format=True)
    return paths


def address(port):
    return Address(ae_title="PACS", host="127.0.0.1", port=port)


def send(paths, port):
    return send_files(paths, address(port), calling_ae="QSM")


def test_a_series_goes_on_one_association(files):
    with pacs() as peer:
        report = send(files, peer.port)
        assert report.delivered == tuple(files)
        assert (report.undelivered, report.reason, peer.associations) == ((), "", 1)
        assert peer.received[0].PatientName == "PLANTED^NAME"


def test_a_large_object_is_given_time_for_a_slow_line(tmp_path, monkeypatch):
    image = mr_image("s", "1", 1, pixels=500)
    image.Rows, image.PixelData = 1000, bytes(1_000_000)
    image.save_as(tmp_path / "large.dcm", enforce_file_format=True)
    waited = []
    send = Association.send_c_store
    monkeypatch.setattr(Association, "send_c_store", lambda a, path: waited.append(a.dimse_timeout) or send(a, path))
    with pacs() as peer:
        assert not send_files([tmp_path / "large.dcm"], address(peer.port), calling_ae="QSM").undelivered
    assert waited[0] == pytest.approx(20, abs=0.1)  # one megabyte


@pytest.mark.parametrize("status", sorted(DELIVERED))
def test_warnings_and_duplicates_are_deliveries(files, status):
    with pacs(answer=lambda _n: status) as peer:
        assert send(files, peer.port).delivered == tuple(files)


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(0xA700, Trouble.BUSY), (0x0110, Trouble.BUSY), (0xA900, Trouble.REFUSED), (0x0122, Trouble.REFUSED)],
)
def test_refused_objects_are_named_and_the_others_arrive(files, status, trouble):
    with pacs(answer=lambda n: status if n == 3 else 0x0000) as peer:
        report = send(files, peer.port)
    assert report.undelivered == (files[2],)
    assert len(report.delivered) == 5
    assert f"0x{status:04X}" in report.reason
    assert report.trouble is trouble


def test_after_an_abort_the_rest_is_sent_on_a_new_association(files):
    with pacs(answer=lambda n: None if n == 3 else 0x0000) as peer:
        report = send(files, peer.port)
        assert report.undelivered == ()
        assert set(report.delivered) == set(files)
        assert peer.associations == 2


def test_an_object_that_is_never_answered_holds_up_no_other(files):
    with pacs(answer=lambda n: None if n in (1, 7) else 0x0000) as peer:
        report = send(files, peer.port)
        assert peer.associations == 2
    assert report.undelivered == (files[0],)
    assert "no answer" in report.reason
    assert report.trouble is Trouble.SILENT


def test_an_attempt_ends_after_two_objects_without_an_answer(files):
    with pacs(answer=lambda _n: None) as peer:
        report = send(files, peer.port)
        assert (peer.associations, peer.requests) == (2, 2)
    assert report.undelivered == (*files[2:], *files[:2])
    assert report.trouble is Trouble.SILENT


def test_an_attempt_ends_at_a_peer_that_refuses_everything(files):
    with pacs(answer=lambda _n: 0xC000) as peer:
        report = send(files, peer.port)
        assert peer.requests == 3
    assert report.undelivered == (*files[3:], *files[:3])
    assert report.trouble is Trouble.REFUSED


def test_an_empty_answer_means_unknown_and_the_object_is_sent_again(files, monkeypatch):
    real, calls = Association.send_c_store, []

    def lossy(association, dataset):
        answer = real(association, dataset)
        calls.append(dataset)
        return type(answer)() if len(calls) == 2 else answer

    monkeypatch.setattr(Association, "send_c_store", lossy)
    with pacs() as peer:
        report = send(files, peer.port)
        assert set(report.delivered) == set(files)
        assert peer.associations == 2
        assert len(peer.uids()) == len(files) + 1
        assert len(set(peer.uids())) == len(files)


def test_an_absent_peer_leaves_everything_undelivered(files):
    report = send(files, free_port())
    assert report.undelivered == tuple(files)
    assert "cannot be reached" in report.reason
    assert report.trouble is Trouble.AWAY


def test_a_host_name_that_is_not_known_means_that_the_peer_is_away(files):
    report = send_files(files, Address(ae_title="PACS", host="pacs.invalid", port=104), calling_ae="QSM")
    assert report.undelivered == tuple(files)
    assert "cannot be reached" in report.reason
    assert report.trouble is Trouble.AWAY


@pytest.mark.parametrize(
    ("reject", "sentence"),
    [((1, 1, 3), "does not know our AE title"), ((1, 1, 7), "not its AE title"), ((2, 3, 1), "congestion (transient")],
)
def test_a_rejection_is_reported_with_the_reason_that_the_peer_gave(files, reject, sentence):
    def refuse(event):
        event.assoc.acse.send_reject(*reject)
        event.assoc.kill()

    with listening(MRImageStorage, [(evt.EVT_REQUESTED, refuse)]) as port:
        report = send(files, port)
    assert report.undelivered == tuple(files)
    assert sentence.partition("(")[0] in report.reason
    assert ("transient" if reject[0] == 2 else "permanent") in report.reason
    assert report.trouble is Trouble.AWAY


def test_a_peer_that_takes_nothing_of_ours_refuses_it(files, monkeypatch):
    new_ae("ANY")  # prepares pynetdicom; then the peer, in this same process, may take only what it lists
    monkeypatch.setattr(_config, "UNRESTRICTED_STORAGE_SERVICE", False)
    monkeypatch.setattr("plugin.network.entities._prepare_library", lambda: None)
    with listening(Verification) as port:
        report = send(files, port)
    assert report.undelivered == tuple(files)
    assert "accepts no presentation context" in report.reason
    assert "MR Image Storage" in report.reason
    assert report.trouble is Trouble.REFUSED


@contextmanager
def listening(sop_class, handlers=()):
    """Run a plain peer that accepts one SOP class."""
    ae = AE(ae_title="PACS")
    ae.add_supported_context(sop_class)
    port = free_port()
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=list(handlers))
    try:
        yield port
    finally:
        server.shutdown()


def test_a_sop_class_that_the_peer_does_not_know_is_refused(files, tmp_path):
    odd = mr_image("s", "2", 1)
    odd.SOPClassUID = odd.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.3.1.2.3.3"  # not a storage class
    odd.save_as(tmp_path / "odd.dcm", enforce_file_format=True)
    with pacs() as peer:
        report = send([tmp_path / "odd.dcm", *files], peer.port)
    assert report.undelivered == (tmp_path / "odd.dcm",)
    assert report.trouble is Trouble.REFUSED


def test_objects_that_have_no_presentation_context_keep_no_other_back(files, tmp_path):
    odd = [tmp_path / f"odd-{n}.dcm" for n in range(4)]
    for n, path in enumerate(odd):
        image = mr_image("s", "2", n)
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.3.1.2.3.3"
        image.save_as(path, enforce_file_format=True)
    with pacs() as peer:
        assert send([*odd, *files], peer.port).delivered == tuple(files)


def test_dcmtk_takes_the_series(files, tmp_path):
    port = free_port()
    with storescp(tmp_path / "pacs", port) as folder:
        assert send(files, port).delivered == tuple(files)
        assert len(read_folder(folder)) == len(files)


def test_echo():
    with pacs() as peer:
        assert echo(address(peer.port), calling_ae="QSM") < 10
    with pytest.raises(UnreachableError, match="cannot be reached"):
        echo(address(free_port()), calling_ae="QSM")
