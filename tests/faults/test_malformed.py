"""Objects that no scanner should send: each costs itself, and neither the association nor the receiver."""

import io
import zlib
from struct import pack

import pytest
from pydicom import config
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage
from pynetdicom.dimse_primitives import C_STORE

from plugin.network.entities import new_ae
from tests.support.campaign import count, say
from tests.support.loopback import mr_image
from tests.support.privacy import check_nobody_is_named
from tests.support.receiver_process import ReceiverProcess

STUDY = pack("<HH2sH", 0x0020, 0x000D, b"UI", 4) + b"1.2\0"
SERIES = pack("<HH2sH", 0x0020, 0x000E, b"UI", 4) + b"1.3\0"
SEQUENCE = pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
ITEM = pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)


def objects() -> dict[str, tuple[str, str, bytes]]:
    """Return transfer syntax, SOP instance UID and bytes by name."""
    explicit, implicit, deflated = ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian
    good = mr_image("good", "1", 1)
    stream = io.BytesIO()
    good.save_as(stream, enforce_file_format=True)
    whole = stream.getvalue()
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    large = count(20, 200) * 2**20
    made = {
        "nothing": (explicit, "1.1", b""),
        "one byte": (explicit, "1.2", b"\x08"),
        "zeros": (explicit, "1.3", bytes(4096)),
        "ones": (explicit, "1.4", b"\xff" * 4096),
        "text": (explicit, "1.5", b"<html>" * 500),
        "another syntax": (implicit, "1.6", whole[200:]),
        "a file with its preamble": (explicit, "1.7", whole),
        "an element longer than the data": (explicit, "1.8", STUDY + SERIES + pack("<HH2sH", 0x10, 0x10, b"PN", 65535)),
        "a length of 4 GiB": (explicit, "1.9", STUDY + pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 0xFFFFFFFE)),
        "deep sequences": (explicit, "1.10", STUDY + (SEQUENCE + ITEM) * count(5_000, 50_000)),
        "descending tags": (explicit, "1.11", SERIES + STUDY),
        "repeated tags": (explicit, "1.12", STUDY * 500 + SERIES),
        "a value representation of none": (explicit, "1.13", STUDY + pack("<HH2sH", 0x10, 0x10, b"??", 4) + b"A^B "),
        "a path as UID": (explicit, "1.14", pack("<HH2sH", 0x0020, 0x000D, b"UI", 12) + b"../../../etc"),
        "a NUL in a UID": (explicit, "1.15", pack("<HH2sH", 0x0020, 0x000D, b"UI", 6) + b"1\0.2.3"),
        "a UID of 70 characters": (explicit, "1." + "2" * 68, STUDY + SERIES),
        "a UID that is a path": (explicit, "../../escape", STUDY + SERIES),
        "a deflate bomb": (deflated, "1.17", bomb.compress(bytes(large * 5)) + bomb.flush()),
        "a cut deflate stream": (deflated, "1.18", zlib.compress(whole)[2:40]),
        "a large element": (
            explicit,
            "1.19",
            STUDY + SERIES + pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, large) + bytes(large),
        ),
    }
    for number in range(count(5, 50)):
        cut = 200 + number * (len(whole) - 200) // 50
        made[f"cut after {cut} bytes"] = (explicit, f"1.20.{number}", whole[200:cut])
    return made


@pytest.fixture
def receiver(tmp_path):
    found = ReceiverProcess(tmp_path / "spool", log=tmp_path / "log.jsonl")
    with found.running() as process:
        yield found
        assert process.poll() is None
        check_nobody_is_named(tmp_path, processes=[process.pid])


@pytest.mark.filterwarnings("ignore:.*for VR UI:UserWarning")  # of this end, which reads its own UIDs in the answer
def test_no_malformed_object_stops_the_receiver(receiver):
    answers = {}
    for name, (syntax, uid, data) in objects().items():
        ae = new_ae("SCANNER")
        ae.dimse_timeout = count(2, 10)
        ae.add_requested_context(MRImageStorage, syntax)
        association = ae.associate("127.0.0.1", receiver.port, ae_title="QSM")
        assert association.is_established, f"after {list(answers)[-1:]}"
        request = C_STORE()
        request.MessageID, request.AffectedSOPClassUID, request.Priority = 1, MRImageStorage, 2
        request._affected_sop_instance_uid = uid
        request.DataSet = io.BytesIO(data)
        with config.disable_value_validation():
            association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
        _, response = association.dimse.get_msg(block=True)
        answers[name] = None if response is None else response.Status
        association.abort()
    assert receiver.send([mr_image("after", "1", n) for n in range(3)]) == 3
    receiver.check()
    outside = [path for path in receiver.spool.rglob("*") if "escape" in path.name or "etc" in path.name]
    assert not outside
    silent = [name for name, status in answers.items() if status is None]
    said = sum(status is not None for status in answers.values())
    say(
        f"{len(answers)} malformed objects: {said} answered with a status, the receiver goes on; without one: {silent}."
    )
    assert said >= len(answers) - 2
