"""A PACS that commits to what it has stored, in every form that PS3.4 Annex J allows, or does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
)

from plugin.network.entities import new_ae, send_without_delay

LOST = 0x0112


@dataclass(kw_only=True)
class CommitmentPeer:
    """What a PACS does when it is asked to commit.

    Parameters
    ----------
    form
        ``"same"`` association, ``"new"`` one with the role of SCP, ``"plain"``: new without a role, ``"never"``,
        ``"refused"``: no such SCP; ``"busy"``: it fails the request.
    silent_requests
        How many requests are not answered before the first that is.
    loses
        How many of the images that were stored first it turns out not to have.
    finds
        Whether it can be queried for images.
    """

    form: str
    silent_requests: int = 0
    loses: int = 0
    finds: bool = False
    stored: list[str] = field(default_factory=list)
    requests: list[Dataset] = field(default_factory=list)
    statuses: list[int | None] = field(default_factory=list)
    """Acknowledgements of its answers."""


@contextmanager
def commitment_peer(port: int, peer: CommitmentPeer, *, answers_to: int) -> Iterator[CommitmentPeer]:
    """Run the PACS; its answers on associations of its own go to a port."""

    def store(event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        if peer.loses:
            peer.loses -= 1
        else:
            peer.stored.append(uid)
        return 0x0000

    def commit(event: evt.Event) -> tuple[int, None]:
        peer.requests.append(event.action_information)
        if peer.form == "busy":
            return 0x0110, None
        if peer.form == "never" or len(peer.requests) <= peer.silent_requests:
            return 0x0000, None
        request = event.action_information
        if peer.form == "same":
            threading.Timer(0.2, lambda: peer.statuses.append(_send(event.assoc, _report(peer, request)))).start()
        else:
            threading.Timer(0.2, answer_on_new, (peer, answers_to, request)).start()
        return 0x0000, None

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for uid in peer.stored:
            found = Dataset()
            found.SOPInstanceUID = uid
            yield 0xFF00, found

    ae = new_ae("PACS")
    ae.add_supported_context(UID("1.2.840.10008.1.1"))
    if peer.form != "refused":
        ae.add_supported_context(StorageCommitmentPushModel)
    if peer.finds:
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    handlers = [
        (evt.EVT_C_STORE, store),
        (evt.EVT_N_ACTION, commit),
        (evt.EVT_C_FIND, find),
        (evt.EVT_CONN_OPEN, send_without_delay),
    ]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield peer
    finally:
        server.shutdown()


def _report(peer: CommitmentPeer, request: Dataset) -> Dataset:
    report = Dataset()
    report.TransactionUID = request.TransactionUID
    here = [one for one in request.ReferencedSOPSequence if one.ReferencedSOPInstanceUID in peer.stored]
    lost = [one for one in request.ReferencedSOPSequence if one.ReferencedSOPInstanceUID not in peer.stored]
    if here:
        report.ReferencedSOPSequence = here
    if lost:
        for one in lost:
            one.FailureReason = LOST
        report.FailedSOPSequence = lost
    return report


def answer_on_new(peer: CommitmentPeer, port: int, request: Dataset) -> None:
    """Answer a request on an association of the peer's own."""
    report = _report(peer, request)
    ae = new_ae("PACS")
    ae.dimse_timeout = 60.0  # this machine may be busy
    ae.add_requested_context(StorageCommitmentPushModel)
    roles = [] if peer.form == "plain" else [build_role(StorageCommitmentPushModel, scp_role=True)]
    handlers = [(evt.EVT_CONN_OPEN, send_without_delay)]
    association = ae.associate("127.0.0.1", port, ae_title="QSM", ext_neg=roles, evt_handlers=handlers)
    if association.is_established:
        if peer.form == "plain":  # pynetdicom asks for the role
            for context in association.accepted_contexts:
                context._as_scp = True
        peer.statuses.append(_send(association, report))
        association.release()
    else:
        peer.statuses.append(None)


def _send(association: Association, report: Dataset) -> int | None:
    kind = 2 if "FailedSOPSequence" in report else 1
    sent = (report, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
    status: int | None = association.send_n_event_report(*sent)[0].get("Status")
    return status
