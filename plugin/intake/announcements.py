"""What a scanner announces besides sending images: MPPS, Instance Availability Notification, storage commitment.

Each is in the index before its sender hears of success. Statuses are those of PS3.4 F.7 (procedure steps), R.3
(availability) and J.3 (commitment).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    InstanceAvailabilityNotification,
    ModalityPerformedProcedureStep,
    StorageCommitmentPushModel,
)

from plugin.intake.commitment import CommitmentAnswers
from plugin.intake.index import Index
from plugin.intake.notices import CommitmentRow
from plugin.log import describe, get_logger, uid_hash

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
NO_SUCH_INSTANCE = 0x0112
NO_SUCH_ACTION = 0x0123
MISSING_ATTRIBUTE = 0x0120

IN_PROGRESS = "IN PROGRESS"
_FINAL = ("COMPLETED", "DISCONTINUED")


def add_contexts(ae: AE) -> None:
    """Accept the services of this module beside storage."""
    ae.add_supported_context(ModalityPerformedProcedureStep)
    ae.add_supported_context(InstanceAvailabilityNotification)
    ae.add_supported_context(StorageCommitmentPushModel)


def handlers(
    index: Index, answers: CommitmentAnswers
) -> list[tuple[evt.EventType, Callable[..., object], list[object]]]:
    """Handlers to be added to those of the storage SCP."""
    return [
        (evt.EVT_N_CREATE, _answered, [partial(_create, index)]),
        (evt.EVT_N_SET, _answered, [partial(_set, index)]),
        (evt.EVT_N_ACTION, _answered, [partial(_commit, index, answers)]),
    ]


def _answered(event: evt.Event, handler: Callable[[evt.Event], int]) -> tuple[int, Dataset | None]:
    """Turn whatever goes wrong into a status; the library would abort the association."""
    try:
        return handler(event), None
    except sqlite3.Error as error:
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


def _announce(index: Index, source: str, name: str, series: object, kinds: tuple[str, ...]) -> None:
    images = tuple(_images(series, kinds))
    index.add_notice(source, name, images, time.time())
    get_logger().info("notice.received", reason=source, images=len(images))


def _images(series: object, kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for one in series:  # type: ignore[attr-defined]  # a pydicom sequence
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
            references=references,
            attempts=0,
            asked_at=now,
        )
    )
    answers.wake(transaction, event.assoc)
    get_logger().info("commitment.requested", images=len(references))
    return SUCCESS
