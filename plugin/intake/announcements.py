"""What a scanner announces besides sending images, and asks: MPPS, Instance Availability, storage commitment.

Each is in the index before its sender gets the answer "success". Statuses are those of PS3.4 F.7, R.3 and J.3.
Commitment is answered from the index and the disk: a request is kept until its N-EVENT-REPORT was acknowledged, on the
association that it came on while that is open, else on a new one, later and later, for a day.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from weakref import ReferenceType, ref

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (
    InstanceAvailabilityNotification,
    ModalityPerformedProcedureStep,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)
from sqlalchemy.exc import SQLAlchemyError

from plugin.config.settings import Settings
from plugin.intake.backoff import pause_after
from plugin.intake.database.notices import CommitmentRow
from plugin.intake.index import Index
from plugin.intake.spool import Spool
from plugin.jobs.delivery.requests import keep_answer
from plugin.log import describe, get_logger, uid_hash
from plugin.network.commitment import acknowledging
from plugin.network.entities import new_ae, send_without_delay
from plugin.network.tls import calling_context

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
NO_SUCH_INSTANCE = 0x0112
CLASS_CONFLICT = 0x0119
MISSING_ATTRIBUTE = 0x0120
NO_SUCH_ACTION = 0x0123
"""Statuses, and the reasons of what cannot be committed to (PS3.3 C.14.1.1)."""

SAME_ASSOCIATION_SECONDS = 0.3
"""How long a requester has to end its association before it is assumed to wait on it for the answer."""
IN_PROGRESS = "IN PROGRESS"
_FINAL = ("COMPLETED", "DISCONTINUED")
_POLL_SECONDS = 1.0
_COMPLETE, _WITH_FAILURES = 1, 2


def add_contexts(ae: AE, settings: Settings) -> None:
    """Accept the services of this module beside storage; of storage commitment the roles that the site wants."""
    ae.add_supported_context(ModalityPerformedProcedureStep)
    ae.add_supported_context(InstanceAvailabilityNotification)
    asked = any(destination.commitment for destination in settings.destinations)
    if asked or settings.storage_commitment_scp:
        scu = settings.storage_commitment_scp
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=scu, scp_role=asked)


def handlers(
    index: Index, settings: Settings, answers: CommitmentAnswers | None
) -> list[tuple[evt.EventType, Callable[..., object], list[object]]]:
    """Return handlers to add to those of the storage SCP; without ``answers`` nothing is committed to."""
    found: list[tuple[evt.EventType, Callable[..., object], list[object]]] = [
        (evt.EVT_REQUESTED, _offer, [settings]),
        (evt.EVT_N_CREATE, _answered, [partial(_create, index)]),
        (evt.EVT_N_SET, _answered, [partial(_set, index)]),
        (evt.EVT_N_EVENT_REPORT, acknowledging(partial(keep_answer, settings.spool)), []),
    ]
    if answers is not None:
        found.append((evt.EVT_N_ACTION, _answered, [partial(_commit, index, answers)]))
    return found


def _offer(event: evt.Event, settings: Settings) -> None:
    """Offer commitment to nobody who is to commit to ours, and proposes no such role, unless the site wants that.

    Without a proposal of roles the peer would be the one that asks (PS3.7 D.3.3.4). One that commits to ours may forget
    to propose its role, so destinations need not.
    """
    acceptor, roles = event.assoc.acceptor, event.assoc.requestor.role_selection.get(StorageCommitmentPushModel)
    calling_ae = str(event.assoc.requestor.primitive.calling_ae_title).strip()
    commits = {destination.ae_title for destination in settings.destinations if destination.commitment}
    if commits and roles and roles.scp_role:  # pynetdicom does not say that it accepts roles outside of storage
        scu = bool(roles.scu_role and settings.storage_commitment_scp)
        acceptor.add_negotiation_item(build_role(StorageCommitmentPushModel, scu_role=scu, scp_role=True))
    elif not settings.storage_commitment_scp and calling_ae not in commits:
        acceptor.supported_contexts = [
            one for one in acceptor.supported_contexts if one.abstract_syntax != StorageCommitmentPushModel
        ]


def _answered(event: evt.Event, handler: Callable[[evt.Event], int]) -> tuple[int, Dataset | None]:
    """Turn whatever goes wrong into a status; the library would abort the association."""
    try:
        return handler(event), None
    except SQLAlchemyError as error:
        get_logger().error("notice.rejected", status=f"0x{PROCESSING_FAILURE:04X}", **describe(error))
        return PROCESSING_FAILURE, None
    except Exception as error:  # a damaged data set makes the parser raise nearly anything
        get_logger().warning("notice.rejected", status=f"0x{MISSING_ATTRIBUTE:04X}", **describe(error))
        return MISSING_ATTRIBUTE, None


def _create(index: Index, event: evt.Event) -> int:
    """Answer the N-CREATE of a procedure step, or of a notification that images are available."""
    values = event.attribute_list
    name = uid_hash(str(event.request.AffectedSOPInstanceUID or ""))
    if event.request.AffectedSOPClassUID == InstanceAvailabilityNotification:
        _announce(index, "ian", name, values.ReferencedSeriesSequence, ("ReferencedSOPSequence",))
        return SUCCESS
    if values.PerformedProcedureStepStatus != IN_PROGRESS:
        return PROCESSING_FAILURE
    return SUCCESS if index.begin_step(name, time.time()) else DUPLICATE_INSTANCE


def _set(index: Index, event: evt.Event) -> int:
    """Answer the N-SET of a procedure step: in its final state it says which images there are."""
    name = uid_hash(str(event.request.RequestedSOPInstanceUID))
    known = index.step_state(name)
    if known is None:
        return NO_SUCH_INSTANCE
    if known in _FINAL:  # may no longer be updated (PS3.4 F.7.2.2.2)
        return PROCESSING_FAILURE
    values = event.modification_list
    state = str(values.get("PerformedProcedureStepStatus", IN_PROGRESS))
    if state in _FINAL:
        kinds = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")
        _announce(index, "mpps", name, values.get("PerformedSeriesSequence") or (), kinds)
        index.end_step(name, state, time.time())
    return SUCCESS


def _announce(index: Index, source: str, name: str, series: Iterable[Dataset], kinds: tuple[str, ...]) -> None:
    images = tuple(_images(series, kinds))
    index.add_notice(source, name, images, time.time())
    get_logger().info("notice.received", reason=source, images=len(images))


def _images(series: Iterable[Dataset], kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for one in series:
        for kind in kinds:
            for item in one.get(kind) or ():
                yield uid_hash(str(one.SeriesInstanceUID)), uid_hash(str(item.ReferencedSOPInstanceUID))


def _commit(index: Index, answers: CommitmentAnswers, event: evt.Event) -> int:
    """Keep a request for commitment; its answer is a message of its own (PS3.4 J.3.3)."""
    if event.request.ActionTypeID != 1:
        return NO_SUCH_ACTION
    values, now = event.action_information, time.time()
    references = tuple(
        (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)) for item in values.ReferencedSOPSequence
    )
    transaction = str(values.TransactionUID)
    images = tuple(("", uid_hash(instance)) for _, instance in references)
    index.add_notice("commitment", uid_hash(transaction), images, now)
    index.add_commitment(
        CommitmentRow(
            transaction_uid=transaction,
            calling_ae=str(event.assoc.requestor.ae_title).strip(),
            address=str(event.assoc.requestor.address),
            refs=references,
            asked_at=now,
            next_at=now,
        )
    )
    answers.wake(transaction, event.assoc)
    get_logger().info("commitment.requested", images=len(references))
    return SUCCESS


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
                for row in self._spool.index.due_commitments(time.time(), self._settings.retry.longest_seconds):
                    if not self._ended.is_set():
                        self._try_to_answer(row)
            except Exception as error:  # a full disk, or a closed index; the next round tries again
                get_logger().error("commitment.failed", **describe(error))

    def _try_to_answer(self, row: CommitmentRow) -> None:
        """Answer a request; one that fails is tried again later, and does not stop the others."""
        try:
            self._answer(row)
        except SQLAlchemyError:
            raise
        except Exception as error:
            get_logger().error("commitment.failed", calling_ae=row.calling_ae, **describe(error))
            self._postpone(row)

    def _answer(self, row: CommitmentRow) -> None:
        report = self._report(row)
        kept = self._open.pop(row.transaction_uid, None)
        association = kept() if kept is not None else None
        log = get_logger().bind(calling_ae=row.calling_ae, images=len(row.refs))
        if _report_on(association, report) or self._report_on_new(row, report):
            self._spool.index.settle_commitment(row.transaction_uid, "answered")
            log.info("commitment.answered", failed=len(report.get("FailedSOPSequence") or ()))
        else:
            self._postpone(row)

    def _postpone(self, row: CommitmentRow) -> None:
        log = get_logger().bind(calling_ae=row.calling_ae, images=len(row.refs))
        pause, waited = pause_after(self._settings.retry, row.attempts)
        if waited > 3600 * self._settings.retry.give_up_after_hours:
            self._spool.index.settle_commitment(row.transaction_uid, "given up")
            log.error("commitment.given_up")
            return
        self._spool.index.postpone_commitment(row.transaction_uid, time.time() + pause)
        log.warning("commitment.postponed", retry_in_seconds=pause)

    def _report_on_new(self, row: CommitmentRow, report: Dataset) -> bool:
        ae = new_ae(self._settings.ae_title)
        ae.add_requested_context(StorageCommitmentPushModel)
        tls = self._settings.return_tls(row.calling_ae)
        association = ae.associate(
            row.address,
            self._settings.return_port(row.calling_ae),
            ae_title=row.calling_ae,
            ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
            evt_handlers=[(evt.EVT_CONN_OPEN, send_without_delay)],
            tls_args=(calling_context(tls, row.address), row.address) if tls else None,
        )
        try:
            return _report_on(association, report)
        finally:
            if association.is_established:
                association.release()

    def _report(self, row: CommitmentRow) -> Dataset:
        """Make the event's information: which objects are here, and which are not, with the reason."""
        report = Dataset()
        report.TransactionUID = row.transaction_uid
        here: list[Dataset] = []
        failed: list[Dataset] = []
        for sop_class, instance in row.refs:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
            if reason := self._why_not(sop_class, instance):
                item.FailureReason = reason
            (failed if reason else here).append(item)
        if here:
            report.ReferencedSOPSequence = here
        if failed:
            report.FailedSOPSequence = failed
        return report

    def _why_not(self, sop_class: str, instance: str) -> int | None:
        """Say why an object cannot be committed to: not here, here with two contents, or of another class."""
        stored = self._spool.index.stored(uid_hash(instance))
        if stored is None or not (path := self._spool.folder / stored).exists():
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
