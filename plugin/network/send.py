"""The storage SCU: one attempt to send a series to a peer, and a report for each object whether it arrived."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from plugin.errors import DeliveryError, UnreachableError
from plugin.network.association import Failure, Trouble, connect, status_name
from plugin.network.entities import TIMEOUT_S, Address, new_ae

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


_UNANSWERED = Failure(reason="the peer gave no answer, or ended the association", trouble=Trouble.SILENT)


@dataclass(kw_only=True)
class _Transfer:
    waiting: deque[Path]
    delivered: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, Failure]] = field(default_factory=list)
    silences: list[Failure] = field(default_factory=list)

    @property
    def failures(self) -> list[Failure]:
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
    unassociated: Failure | None = None
    while not transfer.is_over and unassociated is None:
        association = connect(ae, peer)
        if isinstance(association, Failure):
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


def _trouble(failures: Sequence[Failure]) -> Trouble | None:
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
    association = connect(ae, peer)
    if isinstance(association, Failure):
        kind = UnreachableError if association.trouble is Trouble.AWAY else DeliveryError
        raise kind(association.reason)
    try:
        status = association.send_c_echo().get("Status")
    finally:
        association.release()
    if status != 0x0000:
        raise DeliveryError(f"{peer} answered the echo with {status_name(status)}")
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


def _send_one(association: Association, path: Path) -> Failure | None:
    """Send an object; return why it was not delivered, if it was not. Without an answer the association ends."""
    try:
        status = _store(association, path).get("Status")
    except ValueError:  # no presentation context was accepted for it
        name = UID(read_file_meta_info(path).MediaStorageSOPClassUID).name
        reason = f"the peer does not accept {name}; allow it there, or leave it out of the destination's objects"
        return Failure(reason=reason, trouble=Trouble.REFUSED, was_sent=False)
    except RuntimeError:  # the association ended since the last object
        return _UNANSWERED
    if status is None:
        association.abort()
        return _UNANSWERED
    if status in DELIVERED:
        return None
    kind = Trouble.REFUSED if _is_about_the_object(status) else Trouble.BUSY
    return Failure(reason=f"the peer answered {status_name(status)}", trouble=kind)


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
