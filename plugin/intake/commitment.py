"""Answers to requests for storage commitment (PS3.4 J.3.3): from the index and the disk alone, never from memory.

A request is kept until its N-EVENT-REPORT was acknowledged: on the association that it came on while that is open, else
on a new one to where the requester listens, later and later, for a day.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from weakref import ReferenceType, ref

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from plugin.config.settings import Settings
from plugin.intake.notices import CommitmentRow
from plugin.intake.spool import Spool
from plugin.log import describe, get_logger, uid_hash
from plugin.network.entities import new_ae, send_without_delay

SAME_ASSOCIATION_SECONDS = 0.3
"""How long a requester has to end its association, before it is taken for one that waits on it."""

NO_SUCH_INSTANCE = 0x0112
CLASS_CONFLICT = 0x0119
"""Failure reasons (PS3.3 C.14.1.1)."""

_POLL_SECONDS = 1.0
_COMPLETE, _WITH_FAILURES = 1, 2


class CommitmentAnswers(threading.Thread):
    """Send the answers that are due."""

    def __init__(self, spool: Spool, settings: Settings) -> None:
        super().__init__(name="commitment", daemon=True)
        self._spool = spool
        self._settings = settings
        self._asked = threading.Event()
        self._ended = threading.Event()
        self._open: dict[str, ReferenceType[Association]] = {}

    def wake(self, transaction_uid: str, association: Association) -> None:
        """Note that a request was kept, and on which association it came."""
        self._open[transaction_uid] = ref(association)
        self._asked.set()

    def stop(self) -> None:
        """End after the answer in progress; the others are sent after the next start."""
        self._ended.set()
        self._asked.set()
        self.join(timeout=15.0)

    def run(self) -> None:
        """Answer until stopped."""
        while not self._ended.is_set():
            if self._asked.wait(_POLL_SECONDS):
                self._asked.clear()
                self._ended.wait(SAME_ASSOCIATION_SECONDS)
            try:
                for row in self._spool.index.due_commitments(time.time()):
                    if not self._ended.is_set():
                        self._answer(row)
            except Exception as error:  # a full disk, or a closed index; the next round tries again
                get_logger().error("commitment.failed", **describe(error))

    def _answer(self, row: CommitmentRow) -> None:
        report = self.report(row)
        kept = self._open.pop(row.transaction_uid, None)
        association = kept() if kept is not None else None
        log = get_logger().bind(calling_ae=row.calling_ae, images=len(row.references))
        if _report_on(association, report) or self._report_on_new(row, report):
            self._spool.index.settle_commitment(row.transaction_uid, "answered")
            log.info("commitment.answered", failed=len(report.get("FailedSOPSequence") or ()))
            return
        retry, now = self._settings.retry, time.time()
        if now - row.asked_at > 3600 * retry.give_up_after_hours:
            self._spool.index.settle_commitment(row.transaction_uid, "given up")
            log.error("commitment.given_up")
            return
        pause = min(retry.longest_seconds, retry.first_seconds * 2.0**row.attempts)
        self._spool.index.postpone_commitment(row.transaction_uid, now + pause)
        log.warning("commitment.postponed", retry_in_seconds=pause)

    def _report_on_new(self, row: CommitmentRow, report: Dataset) -> bool:
        ae = new_ae(self._settings.ae_title)
        ae.add_requested_context(StorageCommitmentPushModel)
        association = ae.associate(
            row.address,
            self._settings.return_port(row.calling_ae),
            ae_title=row.calling_ae,
            ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
            evt_handlers=[(evt.EVT_CONN_OPEN, send_without_delay)],
        )
        try:
            return _report_on(association, report)
        finally:
            if association.is_established:
                association.release()

    def report(self, row: CommitmentRow) -> Dataset:
        """Make the event's information: what is here, and what is not, with the reason."""
        report = Dataset()
        report.TransactionUID = row.transaction_uid
        here, failed = [], []
        for sop_class, instance in row.references:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
            reason = self._why_not(sop_class, instance)
            if reason is None:
                here.append(item)
            else:
                item.FailureReason = reason
                failed.append(item)
        if here:
            report.ReferencedSOPSequence = here
        if failed:
            report.FailedSOPSequence = failed
        return report

    def _why_not(self, sop_class: str, instance: str) -> int | None:
        """Say why an object cannot be committed to: not here, here with two contents, or of another class."""
        stored = self._spool.index.stored(uid_hash(instance))
        path: Path | None = None if stored is None else self._spool.folder / stored
        if path is None or not path.exists():
            return NO_SUCH_INSTANCE
        return None if read_file_meta_info(path).MediaStorageSOPClassUID == sop_class else CLASS_CONFLICT


def _report_on(association: Association | None, report: Dataset) -> bool:
    """Send the event on an association; say whether it was acknowledged."""
    if association is None or not association.is_established:
        return False
    kind = _WITH_FAILURES if "FailedSOPSequence" in report else _COMPLETE
    try:
        status, _ = association.send_n_event_report(
            report, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
    except (RuntimeError, ValueError):  # the association ended meanwhile, or the peer did not accept our role
        return False
    return bool(status) and status.Status == 0x0000
