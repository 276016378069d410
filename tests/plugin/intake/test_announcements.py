import sqlite3
import threading
import time
from contextlib import closing, contextmanager

import pytest
from pydicom.dataset import Dataset
from pynetdicom import build_role, evt
from pynetdicom.sop_class import (
    InstanceAvailabilityNotification,
    ModalityPerformedProcedureStep,
    MRImageStorage,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from plugin.config.settings import Caller, Destination, Disk, Retry, Settings
from plugin.intake.announcements import CommitmentAnswers
from plugin.intake.receiver import start_receiver
from plugin.intake.spool import Spool
from plugin.log import uid_hash
from plugin.network.entities import new_ae
from tests.support.loopback import free_port, mr_image, send_images, wait_for

IMAGES = [mr_image("s", "1", number) for number in range(3)]
SERIES = uid_hash(IMAGES[0].SeriesInstanceUID)
HASHES = frozenset(uid_hash(image.SOPInstanceUID) for image in IMAGES)


@pytest.fixture
def site(tmp_path):
    listening = free_port()
    settings = Settings(
        port=free_port(),
        spool=tmp_path,
        disk=Disk(reserve_gib=0, used_percent=100),
        allowed_callers=[Caller(ae_title="MR1", return_port=listening)],
        retry=Retry(first_seconds=0.1, longest_seconds=0.2),
        storage_commitment_scp=True,
    )
    spool = Spool(tmp_path)
    receiver = start_receiver(settings, spool)
    yield settings, spool, listening
    receiver.shutdown()
    spool.index.close()


@contextmanager
def associated(settings, sop_class, handlers=()):
    ae = new_ae("MR1")
    ae.add_requested_context(sop_class)
    association = ae.associate("127.0.0.1", settings.port, ae_title="QSM", evt_handlers=list(handlers))
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def references(images, keyword):
    items = []
    for image in images:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        items.append(item)
    series = Dataset()
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    setattr(series, keyword, items)
    return [series]


def step(state, images=()):
    values = Dataset()
    values.PerformedProcedureStepStatus = state
    if images:
        values.PerformedSeriesSequence = references(images, "ReferencedImageSequence")
    return values


def create(association, values, uid="1.2.3", sop_class=ModalityPerformedProcedureStep):
    return association.send_n_create(values, sop_class, uid)[0].Status


def update(association, values, uid="1.2.3"):
    return association.send_n_set(values, ModalityPerformedProcedureStep, uid)[0].Status


def test_a_procedure_step_says_at_its_end_which_images_there_are(site):
    settings, spool, _ = site
    assert send_images(settings.port, IMAGES[:2], ae_title="MR1") == [0, 0]
    with associated(settings, ModalityPerformedProcedureStep) as association:
        assert update(association, step("COMPLETED")) == 0x0112  # nobody began it
        assert create(association, step("COMPLETED")) == 0x0110
        assert create(association, step("IN PROGRESS")) == 0x0000
        assert create(association, step("IN PROGRESS")) == 0x0111
        assert update(association, step("IN PROGRESS", IMAGES)) == 0x0000
        assert not spool.index.announced([SERIES], []).images
        assert update(association, step("COMPLETED", IMAGES)) == 0x0000
        assert update(association, step("COMPLETED", IMAGES)) == 0x0110  # it is final
    said = spool.index.announced([SERIES], [])
    assert said.images == HASHES
    assert (said.sources, said.awaited, said.expected) == ({"mpps"}, 1, 1)
    send_images(settings.port, IMAGES[2:], ae_title="MR1")
    assert spool.index.announced([SERIES], []).awaited == 0


def test_an_availability_notification_says_which_images_there_are(site):
    settings, spool, _ = site
    values = Dataset()
    values.ReferencedSeriesSequence = references(IMAGES, "ReferencedSOPSequence")
    with associated(settings, InstanceAvailabilityNotification) as association:
        assert create(association, values, "1.2.9", InstanceAvailabilityNotification) == 0x0000
        assert create(association, step("X"), "1.2.8", InstanceAvailabilityNotification) == 0x0120
    said = spool.index.announced([SERIES], [])
    assert (said.images, said.sources, said.awaited) == (HASHES, {"ian"}, 3)


class Requester:
    """A peer that asks for commitment and keeps the answers."""

    def __init__(self, *, fails=0):
        self.reports, self.fails = [], fails

    def report(self, event):
        if self.fails:
            self.fails -= 1
            return 0x0110, None
        self.reports.append((event.event_type, event.event_information))
        return 0x0000, None

    @property
    def handlers(self):
        return [(evt.EVT_N_EVENT_REPORT, self.report)]


def ask(association, images, transaction="1.2.77", action=1):
    values = Dataset()
    values.TransactionUID = transaction
    values.ReferencedSOPSequence = references(images, "ReferencedSOPSequence")[0].ReferencedSOPSequence
    request = (values, action, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
    return association.send_n_action(*request)[0].Status


@contextmanager
def listening_for_reports(port, requester):
    ae = new_ae("MR1")
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=requester.handlers)
    try:
        yield
    finally:
        server.shutdown()


def test_commitment_is_answered_on_the_association_while_it_is_open(site):
    settings, spool, _ = site
    send_images(settings.port, IMAGES, ae_title="MR1")
    requester = Requester()
    with associated(settings, StorageCommitmentPushModel, requester.handlers) as association:
        assert ask(association, IMAGES, action=2) == 0x0123
        assert ask(association, IMAGES) == 0x0000
        wait_for(lambda: requester.reports, what="the report")
        # Released any earlier, the acknowledgement of the report would meet a closing association.
        wait_for(lambda: not spool.index.due_commitments(time.time() + 1e6, 0.0), what="its acknowledgement is heard")
    ((kind, report),) = requester.reports
    assert kind == 1
    assert report.TransactionUID == "1.2.77"
    assert {item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence} == {
        image.SOPInstanceUID for image in IMAGES
    }
    said = spool.index.announced([], sorted(HASHES))
    assert (said.images, said.sources, said.awaited) == (HASHES, {"commitment"}, 0)


def test_an_image_that_comes_while_commitment_is_reported_is_stored_and_the_report_acknowledged(site):
    settings, spool, _ = site
    send_images(settings.port, IMAGES[:1], ae_title="MR1")
    statuses, sending = [], []

    def send_and_acknowledge(event):
        send = threading.Thread(target=lambda: statuses.append(event.assoc.send_c_store(IMAGES[1]).get("Status")))
        send.start()
        sending.append(send)
        time.sleep(0.3)  # the image is there before the acknowledgement
        return 0x0000, None

    ae = new_ae("MR1")
    for sop_class in (StorageCommitmentPushModel, MRImageStorage):
        ae.add_requested_context(sop_class)
    handlers = [(evt.EVT_N_EVENT_REPORT, send_and_acknowledge)]
    association = ae.associate("127.0.0.1", settings.port, ae_title="QSM", evt_handlers=handlers)
    assert ask(association, IMAGES[:1]) == 0x0000
    wait_for(lambda: not spool.index.due_commitments(time.time() + 1e6, 0.0), what="the acknowledgement is heard")
    sending[0].join(20)
    assert statuses == [0x0000]
    assert len(sending) == 1
    association.release()
    assert association.is_released


def test_commitment_is_answered_on_a_new_association_until_it_is_heard(site):
    settings, spool, listening = site
    send_images(settings.port, IMAGES[:2], ae_title="MR1")
    wrong = mr_image("s", "1", 1)
    wrong.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    with associated(settings, StorageCommitmentPushModel) as association:
        assert ask(association, [IMAGES[0], wrong, IMAGES[2]]) == 0x0000
    requester = Requester(fails=2)
    time.sleep(0.5)  # nobody listens yet
    with listening_for_reports(listening, requester):
        wait_for(lambda: requester.reports, what="the report")
        wait_for(lambda: not spool.index.due_commitments(time.time() + 1e6, 0.0), what="the request is settled")
    ((kind, report),) = requester.reports
    assert kind == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [IMAGES[0].SOPInstanceUID]
    reasons = {item.ReferencedSOPInstanceUID: item.FailureReason for item in report.FailedSOPSequence}
    assert reasons == {wrong.SOPInstanceUID: 0x0119, IMAGES[2].SOPInstanceUID: 0x0112}


def test_an_image_of_two_contents_is_not_committed_to(site):
    settings, spool, _ = site
    other = mr_image("s", "1", 0)
    other.PixelData = b"\x01" * len(other.PixelData)
    assert send_images(settings.port, [IMAGES[0], other], ae_title="MR1") == [0x0000, 0x0111]
    assert spool.index.stored(uid_hash(other.SOPInstanceUID)) is None


def test_a_request_outlives_the_receiver(tmp_path):
    listening, requester = free_port(), Requester()
    callers = [Caller(ae_title="MR1", return_port=listening)]
    disk = Disk(reserve_gib=0, used_percent=100)
    settings = Settings(
        port=free_port(), spool=tmp_path, disk=disk, allowed_callers=callers, storage_commitment_scp=True
    )
    for number in range(2):
        spool = Spool(tmp_path)
        receiver = start_receiver(settings, spool)
        if number == 0:
            send_images(settings.port, IMAGES, ae_title="MR1")
            with associated(settings, StorageCommitmentPushModel) as association:
                receiver.answers._ended.set()  # dies before it answers
                assert ask(association, IMAGES) == 0x0000
        else:
            with listening_for_reports(listening, requester):
                wait_for(lambda: requester.reports, what="the report")
        receiver.shutdown()
        spool.index.close()
    assert [kind for kind, _ in requester.reports] == [1]
    assert MRImageStorage in {item.ReferencedSOPClassUID for item in requester.reports[0][1].ReferencedSOPSequence}


def test_a_row_that_cannot_be_read_does_not_stop_the_answers_to_others(site):
    settings, _, _ = site
    send_images(settings.port, IMAGES, ae_title="MR1")
    with closing(sqlite3.connect(settings.spool / "index.sqlite")) as index:
        values = ("1.2.damaged", "MR1", "127.0.0.1", "not JSON", 0.0, 0.0)
        index.execute(
            "INSERT INTO commitment (transaction_uid, calling_ae, address, refs, asked_at, next_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            values,
        )
        index.commit()
    requester = Requester()
    with associated(settings, StorageCommitmentPushModel, requester.handlers) as association:
        assert ask(association, IMAGES) == 0x0000
        wait_for(lambda: requester.reports, what="the report")


def test_an_answer_that_fails_is_postponed_and_does_not_stop_the_others(site, monkeypatch):
    settings, spool, _ = site
    send_images(settings.port, IMAGES, ae_title="MR1")
    report = CommitmentAnswers._report

    def fail(self, row):
        if row.transaction_uid == "1.2.1":
            raise OSError(5, "a bad sector")
        return report(self, row)

    monkeypatch.setattr(CommitmentAnswers, "_report", fail)
    requester = Requester()
    with associated(settings, StorageCommitmentPushModel, requester.handlers) as association:
        for transaction in ("1.2.1", "1.2.2"):
            assert ask(association, IMAGES, transaction) == 0x0000
        # Released any earlier, the acknowledgement of the report would meet a closing association.
        wait_for(lambda: len(spool.index.due_commitments(time.time() + 1e6, 0.0)) == 1, what="one is answered")
    assert requester.reports[0][1].TransactionUID == "1.2.2"
    (row,) = spool.index.due_commitments(time.time() + 1e6, 0.0)
    assert (row.transaction_uid, row.attempts > 0) == ("1.2.1", True)


@pytest.mark.parametrize("commitment", [False, True])
def test_commitment_is_not_offered_unless_the_site_wants_it(tmp_path, commitment):
    """A destination that is asked to commit may come to answer; whoever asks us to commit is still rejected."""
    asked = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=104, commitment=commitment)
    settings = Settings(
        port=free_port(), spool=tmp_path, disk=Disk(reserve_gib=0, used_percent=100), destinations=[asked]
    )
    spool = Spool(tmp_path)
    receiver = start_receiver(settings, spool)
    try:
        ae = new_ae("MR1")
        ae.add_requested_context(StorageCommitmentPushModel)
        association = ae.associate("127.0.0.1", settings.port, ae_title="QSM")
        assert not association.accepted_contexts
        assert [one.abstract_syntax for one in association.rejected_contexts] == [StorageCommitmentPushModel]
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        peer = new_ae("PACS")
        peer.add_requested_context(StorageCommitmentPushModel)
        answering = peer.associate("127.0.0.1", settings.port, ae_title="QSM", ext_neg=[role])
        assert [one.as_scp for one in answering.accepted_contexts] == ([True] if commitment else [])
        answering.release()
    finally:
        receiver.shutdown()
        spool.index.close()
