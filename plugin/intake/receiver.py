"""The storage SCP: bytes to the spool, then success; nothing is decoded, nothing is decided here.

Statuses are those of PS3.4 §B.2.3 and PS3.7 §C: 0x0000 success, 0x0111 duplicate SOP instance, 0xA700 out of
resources, 0xC000 cannot understand.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from weakref import WeakKeyDictionary

from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification
from pynetdicom.transport import ThreadedAssociationServer

from plugin.config.settings import Caller, Settings
from plugin.errors import PortTakenError
from plugin.intake import announcements
from plugin.intake.index import ImageRow
from plugin.intake.recovery import Recovered, recover, sender_information
from plugin.intake.spool import Spool, Stored, shortage
from plugin.log import describe, get_logger, uid_hash
from plugin.network.encoding import file_header
from plugin.network.entities import new_ae, send_without_delay

SUCCESS = 0x0000
DUPLICATE = 0x0111
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000

REJECT_UNKNOWN_CALLER = (0x01, 0x01, 0x03)
"""Permanent, service user, calling AE title not recognised (PS3.8 §9.3.4)."""

REJECT_NO_ROOM = (0x02, 0x03, 0x01)
"""Transient, service provider (presentation), temporary congestion."""

UNREADABLE = "unreadable"
"""Stands for the study and series of an object whose UIDs cannot be found."""


@dataclass(frozen=True, kw_only=True)
class Reception:
    """What the handlers work with."""

    spool: Spool
    settings: Settings
    names: WeakKeyDictionary[Association, str] = field(default_factory=WeakKeyDictionary)


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """The running SCPs."""

    server: ThreadedAssociationServer
    answers: announcements.CommitmentAnswers

    def shutdown(self) -> None:
        """Stop listening, and answering requests for commitment."""
        self.server.shutdown()
        self.answers.stop()


def start_receiver(settings: Settings, spool: Spool) -> Receiver:
    """Listen, and return what runs; ``shutdown()`` ends it.

    Raises
    ------
    PortTakenError
        The port cannot be listened on.
    """
    lost, found = spool.index.lose_associations(time.time()), recover(spool)
    if lost or found != Recovered():
        reason = (
            f"{lost} associations were open when the receiver ended; {found.unfinished} unfinished files removed;"
            f" {found.images} images and {found.conflicts} conflicts were not in the index and are now;"
            f" {found.quarantined} files quarantined"
        )
        get_logger().warning("receiver.recovered", images=found.images, reason=reason)
    ae = new_ae(settings.ae_title)
    ae.require_called_aet = settings.require_called_aet
    ae.maximum_associations = settings.maximum_associations
    ae.network_timeout = settings.network_silence_seconds
    ae.add_supported_context(Verification)
    announcements.add_contexts(ae)
    reception = Reception(spool=spool, settings=settings)
    answers = announcements.CommitmentAnswers(spool, settings)
    handlers = [*_handlers(reception), *announcements.handlers(spool.index, answers)]
    try:
        server = ae.start_server((settings.bind, settings.port), block=False, evt_handlers=handlers)
    except OSError as error:
        raise PortTakenError(settings.bind, settings.port, error.strerror or "unknown reason") from error
    answers.start()
    get_logger().info("receiver.listening", ae_title=settings.ae_title, bind=settings.bind, port=settings.port)
    return Receiver(server=server, answers=answers)


def _handlers(reception: Reception) -> list[tuple[evt.EventType, Callable[..., object], list[object]]]:
    return [
        (evt.EVT_CONN_OPEN, send_without_delay, []),
        (evt.EVT_REQUESTED, _admit, [reception]),
        (evt.EVT_ACCEPTED, _begin, [reception]),
        (evt.EVT_C_STORE, _receive, [reception]),
        (evt.EVT_C_ECHO, _echo, []),
        (evt.EVT_RELEASED, _end, [reception, "released"]),
        (evt.EVT_ABORTED, _end, [reception, "aborted"]),
        (evt.EVT_CONN_CLOSE, _lose, [reception]),
    ]


def _admit(event: evt.Event, reception: Reception) -> None:
    """Reject unknown callers, and everybody before the disk is full."""
    calling_ae = str(event.assoc.requestor.primitive.calling_ae_title).strip()
    address = str(event.assoc.requestor.address)
    log = get_logger().bind(calling_ae=calling_ae, address=address)
    if not is_allowed(reception.settings.allowed_callers, calling_ae, address):
        log.warning("association.rejected", reason="caller is not in allowed_callers")
        _reject(event.assoc, REJECT_UNKNOWN_CALLER)
    elif reason := shortage(reception.spool.folder, reception.settings.disk):
        log.error("association.rejected", reason=reason)
        _reject(event.assoc, REJECT_NO_ROOM)


def _reject(association: Association, reason: tuple[int, int, int]) -> None:
    association.acse.send_reject(*reason)
    association.kill()  # waits until the answer is out; else the peer sees an abort


def is_allowed(callers: tuple[Caller, ...], calling_ae: str, address: str) -> bool:
    """Say whether a caller is on the list; an empty list admits everyone."""
    return not callers or any(
        caller.ae_title in ("*", calling_ae) and caller.host in ("", address) for caller in callers
    )


def _begin(event: evt.Event, reception: Reception) -> None:
    name = uuid.uuid4().hex
    calling_ae = str(event.assoc.requestor.ae_title).strip()
    reception.spool.index.open_association(name, calling_ae, str(event.assoc.requestor.address), time.time())
    reception.names[event.assoc] = name
    get_logger().info("association.accepted", association=name, calling_ae=calling_ae)


def _end(event: evt.Event, reception: Reception, how: str) -> None:
    if name := reception.names.get(event.assoc):
        reception.spool.index.end_association(name, how, time.time())
        get_logger().info("association.ended", association=name, state=how)


def _lose(event: evt.Event, reception: Reception) -> None:
    """Handle the end of the connection, which may be reported before the release or abort it follows."""
    if name := reception.names.get(event.assoc):
        reception.spool.index.end_association(name, "lost", time.time())


def _echo(event: evt.Event) -> int:
    get_logger().info("echo.answered", calling_ae=str(event.assoc.requestor.ae_title).strip())
    return SUCCESS


def _receive(event: evt.Event, reception: Reception) -> int:
    """Answer a C-STORE request: the one place where a result becomes a DIMSE status."""
    name = reception.names.get(event.assoc)
    log = get_logger().bind(association=name)
    unrecorded = None if name else "the index cannot be written"  # when the association began
    if reason := unrecorded or shortage(reception.spool.folder, reception.settings.disk):
        log.error("image.rejected", status=f"0x{OUT_OF_RESOURCES:04X}", reason=reason)
        return OUT_OF_RESOURCES
    try:
        image, chunks = _image(event, str(name))
    except AttributeError as error:  # a request without data set or without UIDs
        log.warning("image.rejected", status=f"0x{CANNOT_UNDERSTAND:04X}", **describe(error))
        return CANNOT_UNDERSTAND
    log = log.bind(image=image.image, series=image.series)
    try:
        stored = reception.spool.store(image, chunks)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        log.error("image.rejected", status=f"0x{OUT_OF_RESOURCES:04X}", reason=reason)
        return OUT_OF_RESOURCES
    if stored is Stored.NEW:
        log.debug("image.received")
    else:
        log.warning("image.duplicate", reason=stored.value)
    return DUPLICATE if stored is Stored.CONFLICT else SUCCESS


def _image(event: evt.Event, association: str) -> tuple[ImageRow, Sequence[bytes]]:
    """Return an image as the index names it, and its file in pieces."""
    data_set: bytes = event.encoded_dataset(include_meta=False)
    syntax, request = event.context.transfer_syntax, event.request
    study, series = study_and_series(data_set, syntax)
    row = ImageRow(
        image=uid_hash(str(request.AffectedSOPInstanceUID)),
        series=series,
        study=study,
        digest=hashlib.sha256(data_set).hexdigest(),
        association=association,
        received_at=time.time(),
    )
    requestor = event.assoc.requestor
    sender = sender_information(association, str(requestor.ae_title).strip(), str(requestor.address))
    return row, (file_header(request.AffectedSOPClassUID, request.AffectedSOPInstanceUID, syntax, sender), data_set)


def study_and_series(data_set: bytes, transfer_syntax: UID) -> tuple[str, str]:
    """Find the hashed study and series UIDs at the head of an encoded data set, and read no further.

    An object that cannot be read is accepted: it is skipped later, and the rest of its association is not lost.
    """
    if transfer_syntax.is_deflated:
        return UNREADABLE, UNREADABLE
    try:
        head = read_dataset(
            BytesIO(data_set),
            is_implicit_VR=transfer_syntax.is_implicit_VR,
            is_little_endian=transfer_syntax.is_little_endian,
            stop_when=lambda tag, _vr, _length: tag > 0x0020000E,
            specific_tags=[0x0020000D, 0x0020000E],
        )
        return uid_hash(str(head[0x0020000D].value)), uid_hash(str(head[0x0020000E].value))
    except Exception:  # whatever a damaged header makes the parser raise
        return UNREADABLE, UNREADABLE
