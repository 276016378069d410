"""The storage SCU: one attempt to send a series to a peer, and a report for each object whether it arrived."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from plugin.errors import ConfigurationError, DeliveryError, UnreachableError
from plugin.network.entities import TIMEOUT_S, Address, new_ae, send_without_delay
from plugin.network.tls import calling_context

DELIVERED = frozenset({0x0000, 0xB000, 0xB006, 0xB007, 0x0111})
"""Statuses of a peer that has the object: success, PS3.4 §B.2.3's three warnings, duplicate instance."""

MAXIMUM_CONTEXTS = 128
"""Presentation contexts of one association (PS3.8 §9.3.2.2: odd numbers from 1 to 255)."""

_UNANSWERED_PER_ATTEMPT = 2
"""How many objects may go unanswered before an attempt ends: each costs a time-out, and the peer an association."""

_REFUSED_PER_ATTEMPT = 3
"""How many objects that were sent a peer may fail, having taken none, before an attempt ends."""

_SLOWEST_BYTES_PER_S = 100_000
"""Slowest line that is waited for: the time-out of an answer runs from the first byte of the object, not the last."""

_TRANSIENT = 2

_REJECTIONS: dict[tuple[object, object], str] = {
    (1, 2): "it does not support the DICOM application context",
    (1, 3): "it does not know our AE title; add it there",
    (1, 7): "that is not its AE title; correct it here",
    (2, 2): "it does not support our version of the upper layer protocol",
    (3, 1): "temporary congestion",
    (3, 2): "it has as many associations as it allows",
}
"""What result source and diagnostic of an A-ASSOCIATE-RJ mean (PS3.8 §9.3.4)."""


class Trouble(StrEnum):
    """Why a peer does not have an object."""

    AWAY = "away"
    """There is no association: the name is not resolved, nobody listens, or the peer rejects the association."""
    SILENT = "silent"
    """No answer, or one without a status: the object may or may not have arrived."""
    BUSY = "busy"
    """A failure of the peer, such as a lack of resources."""
    REFUSED = "refused"
    """The peer does not take the object itself (A9xx, Cxxx, 0122, or no presentation context)."""


@dataclass(frozen=True, kw_only=True)
class SendReport:
    """What became of each file.

    ``undelivered`` are those that the peer does not have, or may not have, in the order in which to send them again;
    ``reason`` is why the first of them failed, and ``trouble`` is of which kind. It is ``REFUSED`` only if the peer
    refused every object that failed.
    """

    delivered: tuple[Path, ...]
    undelivered: tuple[Path, ...]
    reason: str
    trouble: Trouble | None
    seconds: float


class _Failure(NamedTuple):
    reason: str
    trouble: Trouble
    was_sent: bool = True


_UNANSWERED = _Failure(reason="the peer gave no answer, or ended the association", trouble=Trouble.SILENT)


@dataclass(kw_only=True)
class _Transfer:
    waiting: deque[Path]
    delivered: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, _Failure]] = field(default_factory=list)
    silences: list[_Failure] = field(default_factory=list)

    @property
    def failures(self) -> list[_Failure]:
        """Failures of what the peer does not have: an object that was not answered may have arrived later."""
        return [*(self.silences if self.waiting else ()), *(failure for _, failure in self.failed)]

    @property
    def is_over(self) -> bool:
        asked = sum(failure.was_sent for _, failure in self.failed)
        refused = not self.delivered and asked >= _REFUSED_PER_ATTEMPT
        return not self.waiting or refused or len(self.silences) >= _UNANSWERED_PER_ATTEMPT


def send_files(
    paths: Iterable[Path],
    peer: Address,
    *,
    calling_ae: str,
    progress: Callable[[Path], None] = lambda _path: None,
) -> SendReport:
    """Send DICOM files by C-STORE (PS3.4 Annex B), on one association while it lasts.

    After an answer without a status, the object may or may not have arrived: the association is aborted and the object
    sent again after the others, which changes nothing at a peer that has it. An attempt ends early at a peer that does
    not answer, and at one that takes nothing. ``progress`` is called with each delivered file.

    Raises
    ------
    DeliveryError
        The files need more presentation contexts than one association has, or those for TLS cannot be used.
    """
    began, transfer = time.monotonic(), _Transfer(waiting=deque(paths))
    ae = _requestor(calling_ae, transfer.waiting)
    unassociated: _Failure | None = None
    while not transfer.is_over and unassociated is None:
        association = _connect(ae, peer)
        if isinstance(association, _Failure):
            unassociated = association
        else:
            _send_waiting(association, transfer, progress)
    undelivered = (*transfer.waiting, *(path for path, _ in transfer.failed))
    failures = [unassociated] if unassociated else transfer.failures
    return SendReport(
        delivered=tuple(transfer.delivered),
        undelivered=undelivered,
        reason=failures[0].reason if failures else "",
        trouble=_trouble(failures),
        seconds=time.monotonic() - began,
    )


def _trouble(failures: Sequence[_Failure]) -> Trouble | None:
    """Name the kind of an attempt's failures; the first that is not a refusal, since that one may pass."""
    kinds = [failure.trouble for failure in failures]
    return next((kind for kind in kinds if kind is not Trouble.REFUSED), kinds[0] if kinds else None)


def echo(peer: Address, *, calling_ae: str) -> float:
    """Ask a peer whether it is there (C-ECHO, PS3.4 Annex A) and return the seconds until it answered.

    Raises
    ------
    UnreachableError
        It cannot be reached, or rejects the association.
    DeliveryError
        It accepts no C-ECHO, or answers it with a failure.
    """
    began = time.monotonic()
    ae = new_ae(calling_ae)
    ae.add_requested_context(Verification)
    association = _connect(ae, peer)
    if isinstance(association, _Failure):
        kind = UnreachableError if association.trouble is Trouble.AWAY else DeliveryError
        raise kind(association.reason)
    try:
        status = association.send_c_echo().get("Status")
    finally:
        association.release()
    if status != 0x0000:
        raise DeliveryError(f"{peer} answered the echo with {_name(status)}")
    return time.monotonic() - began


def _requestor(calling_ae: str, paths: Iterable[Path]) -> AE:
    ae = new_ae(calling_ae)
    metas = (read_file_meta_info(path) for path in paths)
    contexts = sorted({(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID) for meta in metas})
    if len(contexts) > MAXIMUM_CONTEXTS:
        raise DeliveryError(
            f"the files have {len(contexts)} combinations of SOP class and transfer syntax, "
            f"one association has room for {MAXIMUM_CONTEXTS}; send them in smaller parts"
        )
    for sop_class, transfer_syntax in contexts:
        ae.add_requested_context(sop_class, transfer_syntax)
    return ae


def _associate(ae: AE, peer: Address) -> Association:
    handlers = [(evt.EVT_CONN_OPEN, send_without_delay)]
    try:
        tls_args = (calling_context(peer.tls, peer.host), peer.host) if peer.tls else None
    except ConfigurationError as error:
        raise DeliveryError(str(error)) from error
    return ae.associate(peer.host, peer.port, ae_title=peer.ae_title, evt_handlers=handlers, tls_args=tls_args)


def _connect(ae: AE, peer: Address) -> Association | _Failure:
    """Associate with a peer, or say why there is no association."""
    try:
        association = _associate(ae, peer)
    except OSError as error:  # the name service is away, or does not know the host
        reason = f"{peer} cannot be reached: {error.strerror or 'the host name is not known'}"
        return _Failure(reason=reason, trouble=Trouble.AWAY)
    return association if association.is_established else _why_not(association, peer)


def _why_not(association: Association, peer: Address) -> _Failure:
    """Say why there is no association; a rejection in the terms of PS3.8 §9.3.4."""
    if association.is_rejected:
        reason = f"{peer} rejected the association: {_rejection(association)}"
        return _Failure(reason=reason, trouble=Trouble.AWAY)
    if association.rejected_contexts and not association.accepted_contexts:
        classes = ", ".join(sorted({str(UID(one.abstract_syntax).name) for one in association.rejected_contexts}))
        reason = f"{peer} accepts no presentation context we proposed: allow it {classes}, Explicit VR Little Endian"
        return _Failure(reason=reason, trouble=Trouble.REFUSED)
    question = "is it running, and are host, port and AE title right?"
    if peer.tls:
        question += " Or one side does not accept the other's certificate: the peer's must name the host."
    return _Failure(reason=f"{peer} cannot be reached: {question}", trouble=Trouble.AWAY)


def _rejection(association: Association) -> str:
    answer = association.acceptor.primitive
    key = (getattr(answer, "result_source", None), getattr(answer, "diagnostic", None))
    lasts = "transient" if getattr(answer, "result", None) == _TRANSIENT else "permanent"
    return f"{_REJECTIONS.get(key, 'no reason given')} ({lasts})"


def _send_waiting(association: Association, transfer: _Transfer, progress: Callable[[Path], None]) -> None:
    """Send until the attempt is over, or until an object is not answered: it then waits behind the others."""
    failure = None
    try:
        while not transfer.is_over and failure is not _UNANSWERED:
            path = transfer.waiting.popleft()
            failure = _send_one(association, path)
            if failure is None:
                transfer.delivered.append(path)
                progress(path)
            elif failure is _UNANSWERED:
                transfer.silences.append(failure)
                transfer.waiting.append(path)
            else:
                transfer.failed.append((path, failure))
    finally:
        if association.is_established:
            association.release()


def _send_one(association: Association, path: Path) -> _Failure | None:
    """Send an object; return why it was not delivered, if it was not. Without an answer the association ends."""
    try:
        status = _store(association, path).get("Status")
    except ValueError:  # no presentation context was accepted for it
        name = UID(read_file_meta_info(path).MediaStorageSOPClassUID).name
        reason = f"the peer does not accept {name}; allow it there, or leave it out of the destination's objects"
        return _Failure(reason=reason, trouble=Trouble.REFUSED, was_sent=False)
    except RuntimeError:  # the association ended since the last object
        return _UNANSWERED
    if status is None:
        association.abort()
        return _UNANSWERED
    if status in DELIVERED:
        return None
    kind = Trouble.REFUSED if _is_about_the_object(status) else Trouble.BUSY
    return _Failure(reason=f"the peer answered {_name(status)}", trouble=kind)


def _store(association: Association, path: Path) -> Dataset:
    """Send a file's bytes; encode them again only if the peer accepts no other transfer syntax for the object."""
    association.dimse_timeout = TIMEOUT_S + path.stat().st_size / _SLOWEST_BYTES_PER_S
    try:
        answer: Dataset = association.send_c_store(path)
    except ValueError:
        answer = association.send_c_store(dcmread(path))
    return answer


def _is_about_the_object(status: int) -> bool:
    """Say whether a failure is about the object (PS3.4 §B.2.3: A9xx, Cxxx; 0122), not about the peer's condition."""
    return status == 0x0122 or 0xA900 <= status <= 0xA9FF or 0xC000 <= status <= 0xCFFF


def _name(status: int | None) -> str:
    return "nothing" if status is None else f"status 0x{status:04X}"
