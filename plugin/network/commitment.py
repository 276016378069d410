"""The storage commitment SCU (PS3.4 Annex J), and the question that stands in for it where a peer is no such SCP."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
)

from plugin.network.association import Failure, Trouble, connect, status_name
from plugin.network.entities import Address, new_ae

_REQUEST = 1
_PENDING = (0xFF00, 0xFF01)
_PROCESSING_FAILURE = 0x0110
_POLL_SECONDS = 0.05
_ACKNOWLEDGING_SECONDS = 0.1
"""An answer that was kept has still to be acknowledged before the association is released."""


class Instance(NamedTuple):
    """A SOP instance as a request for commitment names it."""

    sop_class_uid: str
    sop_instance_uid: str


def request_commitment(
    instances: Sequence[Instance],
    peer: Address,
    *,
    calling_ae: str,
    transaction_uid: str,
    keep: Callable[[Dataset], None],
    is_answered: Callable[[], bool],
    patience_seconds: float,
) -> Failure | None:
    """Ask a peer to commit to instances (N-ACTION); return why it does not take the request, None if it did.

    The association stays open for the answer (N-EVENT-REPORT) until ``is_answered``, but not for long: the peer may
    answer on an association of its own, at any time. An answer that comes on this one is given to ``keep`` before it is
    acknowledged. A peer that is not a storage commitment SCP is ``Trouble.REFUSED``.

    Raises
    ------
    DeliveryError
        The files for TLS cannot be used.
    """
    ae = new_ae(calling_ae)
    ae.add_requested_context(StorageCommitmentPushModel)
    association = connect(ae, peer, [(evt.EVT_N_EVENT_REPORT, acknowledging(keep))])
    if isinstance(association, Failure):
        return association
    try:
        status = association.send_n_action(
            _request(instances, transaction_uid),
            _REQUEST,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )[0].get("Status")
        if status != 0x0000:
            reason = f"{peer} answered the request for storage commitment with {status_name(status)}"
            return Failure(reason=reason, trouble=Trouble.SILENT if status is None else Trouble.BUSY)
        deadline = time.monotonic() + patience_seconds
        while association.is_established and time.monotonic() < deadline and not is_answered():
            time.sleep(_POLL_SECONDS)
        time.sleep(_ACKNOWLEDGING_SECONDS)
        return None
    except RuntimeError:  # the association has just ended
        return Failure(reason=f"{peer} ended the association", trouble=Trouble.SILENT)
    finally:
        if association.is_established:
            association.release()


def _request(instances: Sequence[Instance], transaction_uid: str) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = []
    for sop_class, instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        request.ReferencedSOPSequence.append(item)
    return request


def acknowledging(keep: Callable[[Dataset], None]) -> Callable[[evt.Event], tuple[int, None]]:
    """Return a handler of N-EVENT-REPORT that acknowledges what was kept; the peer repeats what was not."""

    def handle(event: evt.Event) -> tuple[int, None]:
        try:
            keep(event.event_information)
        except Exception:  # a full disk; or a damaged data set, which makes the parser raise nearly anything
            return _PROCESSING_FAILURE, None
        return 0x0000, None

    return handle


def find_instances(paths: Sequence[Path], peer: Address, *, calling_ae: str) -> frozenset[str] | Failure:
    """Ask a peer which instances of the files' series it has (C-FIND, PS3.4 C.6.2); return their UIDs.

    Raises
    ------
    DeliveryError
        The files for TLS cannot be used.
    """
    ae = new_ae(calling_ae)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    association = connect(ae, peer)
    if isinstance(association, Failure):
        return association
    found: set[str] = set()
    try:
        for query in _queries(paths):
            status = None
            for answer, identifier in association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind):
                status = answer.get("Status")
                if status in _PENDING and identifier is not None:
                    found.add(str(identifier.get("SOPInstanceUID", "")))
            if status != 0x0000:
                reason = f"{peer} answered the query for the images with {status_name(status)}"
                return Failure(reason=reason, trouble=Trouble.SILENT if status is None else Trouble.BUSY)
    except RuntimeError:  # the association has just ended
        return Failure(reason=f"{peer} ended the association", trouble=Trouble.SILENT)
    finally:
        if association.is_established:
            association.release()
    return frozenset(found)


def _queries(paths: Sequence[Path]) -> list[Dataset]:
    """Return a query at the level of images for each of the files' series."""
    tags = ("StudyInstanceUID", "SeriesInstanceUID")
    heads = (dcmread(path, stop_before_pixels=True, specific_tags=list(tags)) for path in paths)
    queries = []
    for study, series in sorted({(str(head.StudyInstanceUID), str(head.SeriesInstanceUID)) for head in heads}):
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.StudyInstanceUID, query.SeriesInstanceUID = study, series
        query.SOPInstanceUID = ""
        queries.append(query)
    return queries


def answer_in(report: Dataset) -> tuple[str, list[str], Mapping[str, int]]:
    """Return transaction, instances committed to, and those not committed to with the reason, of an answer."""
    committed = [str(item.ReferencedSOPInstanceUID) for item in report.get("ReferencedSOPSequence") or ()]
    failed = {
        str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or 0)
        for item in report.get("FailedSOPSequence") or ()
    }
    return str(UID(report.TransactionUID)), committed, failed
