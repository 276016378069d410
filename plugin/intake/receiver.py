"""The storage SCP: bytes to the spool, then success; nothing is decoded, nothing is decided here.

Statuses are those of PS3.4 §B.2.3 and PS3.7 §C: 0x0000 success, 0x0111 duplicate SOP instance, 0xA700 out of
resources, 0xC000 cannot understand.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from weakref import WeakKeyDictionary

from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification
from sqlalchemy.exc import SQLAlchemyError

from plugin.audit import Participant, instances_transferred, record
from plugin.config.settings import Settings
from plugin.errors import PortTakenError
from plugin.intake import announcements
from plugin.intake.admission import NO_LIMIT, Admission, admit, is_known_address, limit
from plugin.intake.index import ImageRow
from plugin.intake.recovery import Recovered, recover, sender_information
from plugin.intake.spool import Spool, Stored, shortage
from plugin.log import describe, get_logger, uid_hash
from plugin.network.door import Door, Policy, open_door
from plugin.network.encoding import file_header
from plugin.network.entities import new_ae, send_without_delay
from plugin.network.rejections import Rejections
from plugin.network.tls import ListeningContext

SUCCESS = 0x0000
DUPLICATE = 0x0111
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000

_LONGEST_UID = 64
UNREADABLE = "unreadable"
"""Stands for the study and series of an object whose UIDs cannot be found."""


@dataclass(frozen=True, kw_only=True)
class Reception:
    """What the handlers work with."""

    spool: Spool
    settings: Settings
    admission: Admission
    names: WeakKeyDictionary[Association, str] = field(default_factory=WeakKeyDictionary)
    stored: dict[str, dict[str, list[Path]]] = field(default_factory=dict)
    """Where an audit is wanted: by association and study, what came on it."""


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
    ae.maximum_associations = NO_LIMIT
    ae.network_timeout = settings.network_silence_seconds
    ae.add_supported_context(Verification)
    answers = announcements.CommitmentAnswers(spool, settings) if settings.storage_commitment_scp else None
    announcements.add_contexts(ae, settings)
    rejections = Rejections(settings)
    admission = Admission(settings=settings, rejections=rejections)
    reception = Reception(spool=spool, settings=settings, admission=admission)
    handlers = [*_handlers(reception), *announcements.handlers(spool.index, settings, answers)]
    policy = Policy(
        admits=partial(is_known_address, settings.allowed_callers),
        per_address=settings.connections_per_address,
        tls_context=tls_context,
        refused=partial(_note_refusal, rejections),
    )
    try:
        server = open_door(ae, (settings.bind, settings.port), policy, handlers, partial(_repeat, spool, rejections))
    except OSError as error:
        raise PortTakenError(settings.bind, settings.port, error.strerror or "unknown reason") from error
    if answers is not None:
        answers.start()
    get_logger().info("receiver.listening", ae_title=settings.ae_title, bind=settings.bind, port=settings.port)
    return Receiver(server=server, answers=answers)


def _recover(spool: Spool) -> None:
    lost, found = spool.index.lose_associations(time.time(), spool.host), recover(spool)
    if lost or found != Recovered():
        reason = (
            f"{lost} associations were open when the receiver ended; {found.unfinished} unfinished files removed;"
            f" {found.images} images and {found.conflicts} conflicts were not in the index and are now;"
            f" {found.quarantined} files quarantined"
        )
        get_logger().warning("receiver.recovered", images=found.images, reason=reason)


def _note_refusal(rejections: Rejections, reason: str, address: str, repeated: bool) -> None:
    """Count a connection that never became an association; one that may be an attack goes into the audit trail."""
    rejections.count("connection", "tls" if reason.startswith("TLS") else "refused")
    if not repeated and reason.startswith(("TLS", "its address")):
        rejections.alert(reason, calling_ae="", address=address)


def _repeat(spool: Spool, rejections: Rejections) -> None:
    rejections.write()
    _end_if_replaced(spool)


def _end_if_replaced(spool: Spool) -> None:
    """End this process, to be started again, when the index was deleted or restored: its rows would reach nobody."""
    if spool.index.is_replaced():
        get_logger().error("index.replaced", reason="the receiver starts again with the new one")
        os.kill(os.getpid(), signal.SIGTERM)


def _handlers(reception: Reception) -> list[tuple[evt.EventType, Callable[..., object], list[object]]]:
    return [
        (evt.EVT_CONN_OPEN, send_without_delay, []),
        (evt.EVT_REQUESTED, admit, [reception.admission]),
        (evt.EVT_PDU_RECV, limit, [int(reception.settings.largest_object_gib * 2**30)]),
        (evt.EVT_ACCEPTED, _begin, [reception]),
        (evt.EVT_C_STORE, _receive, [reception]),
        (evt.EVT_C_ECHO, _echo, []),
        (evt.EVT_RELEASED, _end, [reception, "released"]),
        (evt.EVT_ABORTED, _end, [reception, "aborted"]),
        (evt.EVT_CONN_CLOSE, _lose, [reception]),
    ]


def _begin(event: evt.Event, reception: Reception) -> None:
    name = uuid.uuid4().hex
    calling_ae = str(event.assoc.requestor.ae_title).strip()
    spool, address = reception.spool, str(event.assoc.requestor.address)
    spool.index.open_association(name, calling_ae, address, time.time(), spool.host)
    reception.names[event.assoc] = name
    get_logger().info("association.accepted", association=name, calling_ae=calling_ae)


def _end(event: evt.Event, reception: Reception, how: str) -> None:
    reception.admission.give_up_place(event.assoc)
    if name := reception.names.get(event.assoc):
        reception.spool.index.end_association(name, how, time.time())
        get_logger().info("association.ended", association=name, state=how)
        _audit(event, reception, name)


def _lose(event: evt.Event, reception: Reception) -> None:
    """Handle the end of the connection, which may be reported before the release or abort it follows."""
    reception.admission.give_up_place(event.assoc)
    if name := reception.names.get(event.assoc):
        reception.spool.index.end_association(name, "lost", time.time())
        _audit(event, reception, name)


def _audit(event: evt.Event, reception: Reception, name: str) -> None:
    """Enter into the audit trail what came on an association, once it has ended."""
    settings, requestor = reception.settings, event.assoc.requestor
    they = Participant(ae_title=str(requestor.ae_title).strip(), host=str(requestor.address))
    we = Participant(ae_title=settings.ae_title)
    for paths in reception.stored.pop(name, {}).values():
        try:
            record(settings, instances_transferred(settings, paths, source=they, destination=we, received=True))
        except Exception as error:  # an object that cannot be read; what is in the spool stays
            get_logger().error("audit.lost", **describe(error))


def _echo(event: evt.Event) -> int:
    get_logger().info("echo.answered", calling_ae=str(event.assoc.requestor.ae_title).strip())
    return SUCCESS


def _receive(event: evt.Event, reception: Reception) -> int:
    """Answer a C-STORE request: the one place where a result becomes a DIMSE status."""
    name = reception.names.get(event.assoc)
    log = get_logger().bind(association=name)
    unrecorded = None if name else "the index cannot be written"  # when the association began
    rejections = reception.admission.rejections
    if reason := unrecorded or shortage(reception.spool.folder, reception.settings.disk):
        rejections.count("image", "out-of-resources")
        log.error("image.rejected", status=f"0x{OUT_OF_RESOURCES:04X}", reason=reason)
        return OUT_OF_RESOURCES
    try:
        image, chunks = _image(event, str(name))
    except ValueError as error:
        rejections.count("image", "not-understood")
        log.warning("image.rejected", status=f"0x{CANNOT_UNDERSTAND:04X}", reason=str(error))
        return CANNOT_UNDERSTAND
    log = log.bind(image=image.image, series=image.series)
    try:
        stored = reception.spool.store(image, chunks)
    except (OSError, SQLAlchemyError) as error:
        rejections.count("image", "out-of-resources")
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        log.error("image.rejected", status=f"0x{OUT_OF_RESOURCES:04X}", reason=reason)
        return OUT_OF_RESOURCES
    if stored is Stored.NEW:
        log.debug("image.received")
        if reception.settings.audit.to != "nowhere":
            studies = reception.stored.setdefault(str(name), {})
            studies.setdefault(image.study, []).append(reception.spool.folder / image.path)
    else:
        log.warning("image.duplicate", reason=stored.value)
    if stored is Stored.CONFLICT:
        rejections.count("image", "conflict")
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
