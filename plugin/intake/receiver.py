"""The storage SCP: bytes to the spool, then success; nothing is decoded, nothing is decided here.

Statuses are those of PS3.4 §B.2.3 and PS3.7 §C: 0x0000 success, 0x0111 duplicate SOP instance, 0xA700 out of
resources, 0xC000 cannot understand.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from weakref import WeakKeyDictionary

from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from plugin.config.settings import Caller, Settings
from plugin.errors import PortTakenError
from plugin.intake import announcements
from plugin.intake.index import ImageRow
from plugin.intake.recovery import Recovered, recover, sender_information
from plugin.intake.spool import Spool, Stored, shortage
from plugin.log import get_logger, uid_hash
from plugin.network.door import Door, Policy, hang_up, open_door
from plugin.network.encoding import file_header
from plugin.network.entities import new_ae, send_without_delay
from plugin.network.tls import ListeningContext

SUCCESS = 0x0000
DUPLICATE = 0x0111
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000

REJECT_UNKNOWN_CALLER = (0x01, 0x01, 0x03)
"""Permanent, service user, calling AE title not recognised (PS3.8 §9.3.4)."""

REJECT_USER_IDENTITY = (0x01, 0x02, 0x01)
"""Permanent, service provider (ACSE), no reason given."""

REJECT_TOO_MANY = (0x02, 0x03, 0x02)
"""Transient, service provider (presentation), local limit exceeded."""

REJECT_NO_ROOM = (0x02, 0x03, 0x01)
"""Transient, service provider (presentation), temporary congestion."""

_LONGEST_UID = 64
_MOST_REQUESTS = 8
"""Requests of one association that may wait to be answered; a peer that negotiates nothing else sends one at a time."""

_LIBRARY_COUNTS_NONE = 2**31
"""Limit for pynetdicom, which counts connections that never ask for an association; ``has_place`` counts others."""

UNREADABLE = "unreadable"
"""Stands for the study and series of an object whose UIDs cannot be found."""


@dataclass(frozen=True, kw_only=True)
class Reception:
    """What the handlers work with."""

    spool: Spool
    settings: Settings
    names: WeakKeyDictionary[Association, str] = field(default_factory=WeakKeyDictionary)
    places: list[Association] = field(default_factory=list)
    changing: threading.Lock = field(default_factory=threading.Lock)

    def has_place(self, association: Association) -> bool:
        """Give an association one of the places, if there is one: whoever only knocks takes none."""
        with self.changing:
            self.places[:] = [one for one in self.places if one.is_alive()]
            free = len(self.places) < self.settings.maximum_associations
            if free:
                self.places.append(association)
            return free

    def give_up_place(self, association: Association) -> None:
        """Let another association have the place of one that has ended."""
        with self.changing:
            self.places[:] = [one for one in self.places if one is not association]


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """The running SCPs."""

    server: Door
    answers: announcements.CommitmentAnswers | None

    def shutdown(self) -> None:
        """Stop listening, and answering requests for commitment."""
        self.server.shutdown()
        if self.answers is not None:
            self.answers.stop()


def start_receiver(settings: Settings, spool: Spool) -> Receiver:
    """Listen, and return what runs; ``shutdown()`` ends it.

    Raises
    ------
    ConfigurationError
        The files for TLS cannot be used.
    PortTakenError
        The port cannot be listened on.
    """
    tls_context = ListeningContext(settings.tls).current if settings.tls else None
    _recover(spool)
    ae = new_ae(settings.ae_title)
    ae.require_called_aet = settings.require_called_aet
    ae.maximum_associations = _LIBRARY_COUNTS_NONE
    ae.network_timeout = settings.network_silence_seconds
    ae.add_supported_context(Verification)
    answers = announcements.CommitmentAnswers(spool, settings) if settings.storage_commitment_scp else None
    announcements.add_contexts(ae, commitment=answers is not None)
    reception = Reception(spool=spool, settings=settings)
    handlers = [*_handlers(reception), *announcements.handlers(spool.index, answers)]
    policy = Policy(
        admits=partial(is_known_address, settings.allowed_callers),
        per_address=settings.connections_per_address,
        tls_context=tls_context,
    )
    try:
        server = open_door(ae, (settings.bind, settings.port), policy, handlers, partial(_end_if_replaced, spool))
    except OSError as error:
        raise PortTakenError(settings.bind, settings.port, error.strerror or "unknown reason") from error
    if answers is not None:
        answers.start()
    get_logger().info("receiver.listening", ae_title=settings.ae_title, bind=settings.bind, port=settings.port)
    return Receiver(server=server, answers=answers)


def _recover(spool: Spool) -> None:
    lost, found = spool.index.lose_associations(time.time()), recover(spool)
    if lost or found != Recovered():
        reason = (
            f"{lost} associations were open when the receiver ended; {found.unfinished} unfinished files removed;"
            f" {found.images} images and {found.conflicts} conflicts were not in the index and are now;"
            f" {found.quarantined} files quarantined"
        )
        get_logger().warning("receiver.recovered", images=found.images, reason=reason)


def _end_if_replaced(spool: Spool) -> None:
    """End this process, to be started again, when the index was deleted or restored: its rows would reach nobody."""
    if spool.index.is_replaced():
        get_logger().error("index.replaced", reason="the receiver starts again with the new one")
        os.kill(os.getpid(), signal.SIGTERM)


def _handlers(reception: Reception) -> list[tuple[evt.EventType, Callable[..., object], list[object]]]:
    return [
        (evt.EVT_CONN_OPEN, send_without_delay, []),
        (evt.EVT_REQUESTED, _admit, [reception]),
        (evt.EVT_PDU_RECV, _limit, [int(reception.settings.largest_object_gib * 2**30)]),
        (evt.EVT_ACCEPTED, _begin, [reception]),
        (evt.EVT_C_STORE, _receive, [reception]),
        (evt.EVT_C_ECHO, _echo, []),
        (evt.EVT_RELEASED, _end, [reception, "released"]),
        (evt.EVT_ABORTED, _end, [reception, "aborted"]),
        (evt.EVT_CONN_CLOSE, _lose, [reception]),
    ]


def _admit(event: evt.Event, reception: Reception) -> None:
    """Reject unknown callers, and everybody before the disk is full or while there are too many associations."""
    calling_ae = str(event.assoc.requestor.primitive.calling_ae_title).strip()
    address = str(event.assoc.requestor.address)
    log = get_logger().bind(calling_ae=calling_ae, address=address)
    if not is_allowed(reception.settings.allowed_callers, calling_ae, address):
        log.warning("association.rejected", reason="caller is not in allowed_callers")
        _reject(event.assoc, REJECT_UNKNOWN_CALLER)
    elif event.assoc.requestor.user_identity and reception.settings.user_identity == "reject":
        reason = "it offers a user identity, which is not checked here; switch that off there, or set user_identity"
        log.warning("association.rejected", reason=reason)
        _reject(event.assoc, REJECT_USER_IDENTITY)
    elif short := shortage(reception.spool.folder, reception.settings.disk):
        log.error("association.rejected", reason=short)
        _reject(event.assoc, REJECT_NO_ROOM)
    elif not reception.has_place(event.assoc):
        log.warning("association.rejected", reason="as many associations as maximum_associations allows")
        _reject(event.assoc, REJECT_TOO_MANY)


def _reject(association: Association, reason: tuple[int, int, int]) -> None:
    association.acse.send_reject(*reason)
    association.kill()  # waits until the answer is out; else the peer sees an abort


def is_allowed(callers: tuple[Caller, ...], calling_ae: str, address: str) -> bool:
    """Say whether a caller is on the list; an empty list admits everyone."""
    named = [caller for caller in callers if caller.ae_title in ("*", calling_ae)]
    return not callers or (bool(named) and is_known_address(named, address))


def is_known_address(callers: Sequence[Caller], address: str) -> bool:
    """Say whether somebody on the list may call from an address; an empty list admits everyone."""
    return not callers or any(caller.host in ("", address) for caller in callers)


def _limit(event: evt.Event, largest_bytes: int) -> None:
    """Abort an association that sends an object without end, or one request after the other without waiting."""
    dimse = event.assoc.dimse
    size = dimse.message.data_set.tell() if dimse.message is not None else 0
    if size > largest_bytes or dimse.msg_queue.qsize() > _MOST_REQUESTS:
        reason = "an object larger than largest_object_gib" if size > largest_bytes else "requests without waiting"
        get_logger().warning("association.aborted", reason=f"the peer sends {reason}")
        dimse.message = None  # and its memory; what is on its way is no message
        hang_up(event.assoc.dul.socket.socket)


def _begin(event: evt.Event, reception: Reception) -> None:
    name = uuid.uuid4().hex
    calling_ae = str(event.assoc.requestor.ae_title).strip()
    reception.spool.index.open_association(name, calling_ae, str(event.assoc.requestor.address), time.time())
    reception.names[event.assoc] = name
    get_logger().info("association.accepted", association=name, calling_ae=calling_ae)


def _end(event: evt.Event, reception: Reception, how: str) -> None:
    reception.give_up_place(event.assoc)
    if name := reception.names.get(event.assoc):
        reception.spool.index.end_association(name, how, time.time())
        get_logger().info("association.ended", association=name, state=how)


def _lose(event: evt.Event, reception: Reception) -> None:
    """Handle the end of the connection, which may be reported before the release or abort it follows."""
    reception.give_up_place(event.assoc)
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
    except ValueError as error:
        log.warning("image.rejected", status=f"0x{CANNOT_UNDERSTAND:04X}", reason=str(error))
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
    """Return an image as the index names it, and its file in pieces; ``ValueError`` with the reason if it is none."""
    syntax, request = event.context.transfer_syntax, event.request
    if max(len(request.AffectedSOPInstanceUID), len(request.AffectedSOPClassUID)) > _LONGEST_UID:
        raise ValueError("a UID of more than 64 characters")
    data_set: bytes = request.DataSet.getvalue()
    if not data_set:
        raise ValueError("a request without a data set")
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
