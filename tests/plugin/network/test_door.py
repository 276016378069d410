"""What strangers, probes and broken peers may cost before they are an association, and after."""

import contextlib
import random
import socket
import struct
import threading
import time
from io import BytesIO

import pytest
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from plugin.config.settings import Caller, Disk, Settings
from plugin.intake.receiver import start_receiver
from plugin.intake.spool import Spool
from plugin.network import door
from plugin.network.entities import MAXIMUM_PDU_BYTES, new_ae, send_without_delay
from tests.support.loopback import free_port, mr_image, scanner, send_images, wait_for

ELSEWHERE = "127.0.0.9"


@contextlib.contextmanager
def receiving(folder, **changes):
    settings = Settings(port=free_port(), spool=folder, disk=Disk(reserve_gib=0, used_percent=100), **changes)
    spool = Spool(folder)
    server = start_receiver(settings, spool)
    try:
        yield settings.port, spool
    finally:
        server.shutdown()
        spool.index.close()


def connect(port, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(source, 0))


def ends(connection, seconds=5.0):
    """Say whether the service ends a connection within a time, without having sent a byte but an A-ABORT."""
    connection.settimeout(seconds)
    with contextlib.suppress(ConnectionError):
        try:
            return connection.recv(1) in (b"", b"\x07")
        except TimeoutError:
            return False
    return True


def test_a_stranger_is_closed_before_a_byte_is_read(tmp_path):
    with receiving(tmp_path, allowed_callers=(Caller(ae_title="MR1", host="127.0.0.1"),)) as (port, _):
        with connect(port, ELSEWHERE) as stranger:
            assert ends(stranger)
        with connect(port) as known:
            assert not ends(known, 0.2)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\x04\x00\x00\x00\x00\x04\x00\x00\x00\x00",
        b"\x01\x00" + struct.pack(">L", door.REQUEST_BYTES + 1),
        b"\x01\x00" + struct.pack(">L", 2**32 - 1),
    ],
    ids=["http", "tls", "data first", "large request", "largest request"],
)
def test_what_is_not_a_request_for_an_association_ends_the_connection(tmp_path, sent):
    with receiving(tmp_path) as (port, _), connect(port) as peer:
        peer.sendall(sent)
        assert ends(peer)


def test_a_request_byte_by_byte_has_no_more_time_than_another(tmp_path, monkeypatch):
    monkeypatch.setattr(door, "REQUEST_SECONDS", 0.5)
    with receiving(tmp_path) as (port, _), connect(port) as peer:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            peer.sendall(b"\x01\x00\x00\x00\x01\x00")
            while time.monotonic() - began < 5:
                peer.sendall(b"\x00")
                time.sleep(0.05)
        assert time.monotonic() - began < 2


def flood(port, connections, during):
    """Open so many connections from one address that say nothing, while something else happens."""
    over = threading.Event()

    def knock():
        opened = []
        for _ in range(connections):
            if over.is_set():
                break
            with contextlib.suppress(OSError):
                opened.append(connect(port, ELSEWHERE))
        over.wait()
        for one in opened:
            one.close()

    stranger = threading.Thread(target=knock)
    stranger.start()
    try:
        return during()
    finally:
        over.set()
        stranger.join()


def test_silent_connections_shut_nobody_out(tmp_path):
    images = [mr_image("s", "1", number) for number in range(60)]
    with receiving(tmp_path, maximum_associations=1) as (port, spool):
        assert set(flood(port, 300, lambda: send_images(port, images))) == {0x0000}
        assert spool.index.counts()["received"] == len(images)


def test_an_address_has_so_many_connections_and_the_oldest_that_asks_for_nothing_makes_room(tmp_path):
    with contextlib.ExitStack() as opened, receiving(tmp_path, connections_per_address=2) as (port, _):
        first, second, third = (opened.enter_context(connect(port)) for _ in range(3))
        assert ends(first)
        assert not ends(second, 0.1)
        assert not ends(third, 0.1)
        with scanner(port, images=[]) as one, scanner(port, images=[]) as other:
            assert one.is_established
            assert other.is_established
            with connect(port) as too_many:
                assert ends(too_many)


@pytest.mark.parametrize("size", [MAXIMUM_PDU_BYTES + 1, 2**32 - 1])
def test_a_pdu_larger_than_advertised_ends_the_association(tmp_path, size):
    with receiving(tmp_path) as (port, _), scanner(port, images=[]) as association:
        assert association.dimse.maximum_pdu_size == MAXIMUM_PDU_BYTES
        association.dul.socket.socket.sendall(b"\x04\x00" + struct.pack(">L", size))
        wait_for(lambda: not association.is_established, what="the association ends", seconds=5)


def test_an_object_larger_than_allowed_ends_the_association(tmp_path):
    large = mr_image("s", "1", 1)
    large.PixelData = bytes(500_000)
    with receiving(tmp_path, largest_object_gib=0.0002) as (port, spool):
        with scanner(port, images=[large]) as association:
            assert association.send_c_store(large).get("Status") is None
        assert send_images(port, [mr_image("s", "1", 2)]) == [0x0000]
        assert spool.index.counts()["received"] == 1


def test_an_ipv4_caller_is_known_on_an_ipv6_port(tmp_path):
    with contextlib.closing(socket.socket(socket.AF_INET6)) as probe:
        try:
            probe.bind(("::", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    callers = (Caller(ae_title="SCANNER", host="127.0.0.1"),)
    with receiving(tmp_path, bind="::", allowed_callers=callers) as (port, spool):
        assert send_images(port, [mr_image("s", "1", 1)]) == [0x0000]
        (row,) = spool.index.unread_images()
        assert spool.index.associations([row.association])[row.association].address == "127.0.0.1"


@pytest.mark.parametrize("keyword", ["AffectedSOPClassUID", "AffectedSOPInstanceUID", "DataSet"])
def test_an_incomplete_request_is_answered_at_once_and_does_not_occupy_the_uid(tmp_path, keyword):
    image = mr_image("s", "1", 1)
    request = C_STORE()
    request.MessageID, request.Priority = 7, 0
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = MRImageStorage, image.SOPInstanceUID
    request.DataSet = BytesIO(b"\x08\x00\x60\x00CS\x02\x00MR")
    setattr(request, keyword, None)
    with receiving(tmp_path) as (port, spool), scanner(port, images=[image]) as association:
        context = next(one for one in association.accepted_contexts if one.abstract_syntax == MRImageStorage)
        began = time.monotonic()
        association.dimse.send_msg(request, context.context_id)
        _, answer = association.dimse.get_msg(block=True)
        assert answer.Status == 0xC000
        assert time.monotonic() - began < 2
        assert association.send_c_store(image).Status == 0x0000
        assert spool.index.counts()["conflicts"] == 0


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI", "ignore:The value length")
def test_a_uid_that_is_too_long_costs_that_image_alone(tmp_path):
    long, short = mr_image("s", "1", 1), mr_image("s", "1", 2)
    long.SOPInstanceUID = long.file_meta.MediaStorageSOPInstanceUID = "1." * 34 + "99"
    with receiving(tmp_path) as (port, _):
        assert send_images(port, [long, short]) == [0xC000, 0x0000]


@pytest.mark.parametrize("policy", ["reject", "ignore"])
def test_a_user_identity_is_rejected_unless_it_is_to_be_ignored(tmp_path, policy):
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field = 1, b"somebody"
    identity.positive_response_requested = False
    with receiving(tmp_path, user_identity=policy) as (port, _):
        ae = new_ae("SCANNER")
        ae.add_requested_context(MRImageStorage)
        handlers = [(evt.EVT_CONN_OPEN, send_without_delay)]
        association = ae.associate("127.0.0.1", port, ae_title="QSM", ext_neg=[identity], evt_handlers=handlers)
        assert association.is_rejected is (policy == "reject")
        if association.is_established:
            association.release()


def recorded_session(port):
    """Send an image as a scanner does, and return the bytes of each PDU that was sent."""
    sent, image = [], mr_image("s", "1", 1)
    ae = new_ae("SCANNER")
    ae.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    handlers = [(evt.EVT_CONN_OPEN, send_without_delay), (evt.EVT_DATA_SENT, lambda event: sent.append(event.data))]
    association = ae.associate("127.0.0.1", port, ae_title="QSM", evt_handlers=handlers)
    assert association.send_c_store(image).Status == 0x0000
    association.release()
    return sent


def replay(port, pdus):
    """Send PDUs without regard to the answers, and read those until the service ends the connection or waits."""
    with contextlib.suppress(OSError), connect(port) as peer:
        peer.settimeout(0.05)
        for pdu in pdus:
            peer.sendall(pdu)
            with contextlib.suppress(TimeoutError):
                peer.recv(65536)


def damaged_sessions(port, sessions):
    """Replay a session so many times with bytes changed, left out or repeated, each time in another place."""
    session, chance = recorded_session(port), random.Random(0)
    for _ in range(sessions):
        pdus = list(session)
        which = chance.randrange(len(pdus))
        pdu, at = bytearray(pdus[which]), chance.randrange(len(pdus[which]))
        kind = chance.randrange(4)
        if kind == 0:
            pdu[at] = chance.randrange(256)
        elif kind == 1:
            del pdu[at:]
        elif kind == 2:
            pdu[2:6] = chance.randbytes(4)
        else:
            pdus.insert(which, pdus[chance.randrange(len(pdus))])
        pdus[which] = bytes(pdu)
        replay(port, pdus)


def test_damaged_sessions_cost_no_place_and_no_later_image(tmp_path):
    with receiving(tmp_path, maximum_associations=2, network_silence_seconds=1) as (port, spool):
        damaged_sessions(port, 40)

        def is_free():
            with scanner(port, images=[]) as one, scanner(port, images=[]) as other:
                return one.is_established and other.is_established

        wait_for(is_free, what="both places are free", seconds=15)
        assert send_images(port, [mr_image("s", "2", number) for number in range(2)]) == [0x0000] * 2
        assert spool.index.counts()["received"] >= 3
