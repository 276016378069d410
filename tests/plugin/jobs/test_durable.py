import itertools
import pickle
import shutil
import socket
import time
from pathlib import Path

import pytest
from dbos import WorkflowStatus
from pydicom import dcmread

from dicom_io.derived.product import FIRST_PART, OTHER_PART
from dicom_io.errors import Refusal
from dicom_io.source.acquisition.grouping import group_acquisitions
from plugin.config.settings import Caller, Destination, Objects, Retry, Settings
from plugin.errors import JobFailedError, PluginError
from plugin.jobs import deliveries
from plugin.jobs.deliveries import destinations, pauses_seconds
from plugin.jobs.job import Job
from plugin.jobs.queue import DELIVER, client, delivery_name, submit
from plugin.jobs.steps import failure_of, may_heal
from plugin.service.status import _workflow, retry, status
from recon.errors import EngineError, InvalidInputError
from tests.support.loopback import free_port, mr_image, pacs, wait_for
from tests.support.synthetic import read_header, write_small_scan
from tests.support.worker import running_worker

NAME = "0123456789abcdef-01234567"
FILES = tuple(f"qsm/{n}.dcm" for n in range(4))


def destination(name, port):
    return Destination(name=name, ae_title="PACS", host="127.0.0.1", port=port)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return write_small_scan(tmp_path_factory.mktemp("scan"))


@pytest.fixture
def site(tmp_path, scan):
    """A spool with one reconstructed job, and the workflows of a worker on it."""
    settings = Settings(
        spool=tmp_path,
        destinations=(destination("good", free_port()), destination("bad", free_port())),
        objects=Objects({"quality-page": False, "refusal-page": False}),
        retry=Retry(first_seconds=0.05, longest_seconds=0.1, give_up_after_hours=1 / 3600),
    )
    with running_worker(settings):
        write_job(settings, scan[:3])
        yield settings


def write_job(settings, scan):
    """Write a job and the QSM series that it is to have."""
    folder = settings.spool / "jobs" / NAME
    copies = [shutil.copy(path, settings.spool / "images") for path in scan]
    (acquisition,) = group_acquisitions(read_header(Path(path)) for path in copies)
    Job(acquisition=acquisition, calling_ae="MR1", address="10.0.0.5").save(folder, root=settings.spool)
    (folder / "qsm").mkdir()
    for n in range(4):
        mr_image("s", "1", n).save_as(folder / "qsm" / f"{n}.dcm", enforce_file_format=True)


def deliver(settings, name, part=FIRST_PART, files=FILES, after=""):
    with client(settings) as connected:
        options = {
            "queue_name": DELIVER,
            "workflow_name": DELIVER,
            "workflow_id": delivery_name(NAME, name, part),
            "queue_partition_key": name,
        }
        return connected.enqueue(options, NAME, name, part, list(files), after)


def map_to(destination):
    return delivery_name(NAME, destination.name, FIRST_PART)


def state(settings, destination):
    with client(settings) as connected:
        (found,) = connected.list_workflows(workflow_ids=[map_to(destination)])
        return found.status


def test_a_dead_destination_delays_no_other_and_retry_sends_to_it_again(site):
    good, bad = site.destinations
    with socket.create_server(("127.0.0.1", bad.port)):  # takes connections, and says nothing
        deliver(site, bad.name)
        with pacs(good.port) as peer:
            deliver(site, good.name).get_result()
            assert state(site, bad) in ("ENQUEUED", "PENDING")
        assert len(peer.uids()) == 4
    wait_for(lambda: state(site, bad) == "ERROR", seconds=40, what="the dead destination is given up")
    with pytest.raises(PluginError, match="nothing of job"):
        retry(site, map_to(good))
    with pacs(bad.port) as peer:
        assert retry(site, NAME) == [map_to(bad)]
        wait_for(lambda: state(site, bad) == "SUCCESS", what="the retried delivery is done")
        assert len(peer.uids()) == 4


def test_other_objects_follow_the_map_to_the_same_destination(site):
    good, _ = site.destinations
    with pacs(good.port) as peer:
        others = deliver(site, good.name, OTHER_PART, FILES[3:], map_to(good))
        deliver(site, good.name, files=FILES[:3])
        others.get_result()
        folder = site.spool / "jobs" / NAME
        assert peer.uids() == [dcmread(folder / name).SOPInstanceUID for name in FILES]


def test_other_objects_follow_a_map_that_could_not_be_delivered(site):
    good, bad = site.destinations
    began = time.monotonic()
    with pytest.raises(JobFailedError):
        deliver(site, bad.name).get_result()
    with pacs(good.port):
        deliver(site, good.name, OTHER_PART, FILES, map_to(bad)).get_result()
    assert time.monotonic() - began < 30


def test_nobody_waits_for_a_map_for_ever(site, monkeypatch):
    good, _ = site.destinations
    monkeypatch.setattr(deliveries, "_MAP_FIRST_SECONDS", 0.5)
    with pacs(good.port) as peer:
        deliver(site, good.name, OTHER_PART, FILES, "never-ends").get_result()
        assert len(peer.uids()) == 4
    monkeypatch.setattr(deliveries, "_MAP_ALONE_SECONDS", 0.5)
    began = time.monotonic()
    deliveries.wait_for_map(["never-ends", "never-begins"])
    assert 0.5 <= time.monotonic() - began < 5


def test_only_what_is_missing_is_sent_again(site):
    good, _ = site.destinations
    with pacs(good.port, answer=lambda n: 0xA700 if n == 2 else 0x0000) as peer:
        deliver(site, good.name).get_result()
        assert peer.requests == 5
        assert len(set(peer.uids())) == 4


def test_a_peer_that_refuses_the_objects_is_not_asked_for_ever(site):
    good, _ = site.destinations
    with pacs(good.port, answer=lambda _n: 0xA900) as peer, pytest.raises(JobFailedError, match="0xA900") as caught:
        deliver(site, good.name).get_result()
    assert caught.value.code == "delivery-failed"
    assert peer.requests == 3 * 4


def test_a_refusal_ends_the_job_with_its_reason_and_is_not_tried_again(site):
    """Three images are no volume: the reader refuses, as it would had the grid rule let them through."""
    with client(site) as connected:
        submit(connected, NAME)
        submit(connected, NAME)
        wait_for(lambda: connected.list_workflows(workflow_ids=[NAME])[0].status == "ERROR", what="the job failed")
        steps = connected.list_workflow_steps(NAME)
    assert [step["function_name"] for step in steps] == ["read"]
    (job,) = status(site)["jobs"]
    assert job["state"] == "failed"
    assert job["code"] not in ("", "step-failed", "system-error")
    assert job["reason"]
    assert not (site.spool / "jobs" / NAME / "work").exists()


def test_a_retried_job_begins_again(site, scan, monkeypatch):
    folder = site.spool / "jobs" / "fedcba9876543210-76543210"
    copies = [shutil.copy(path, site.spool / "images") for path in scan]
    (acquisition,) = group_acquisitions(read_header(Path(path)) for path in copies)
    Job(acquisition=acquisition).save(folder, root=site.spool)
    with client(site) as connected:

        def status_of():
            return connected.list_workflows(workflow_ids=[folder.name])[0].status

        with monkeypatch.context() as patch:
            patch.setattr("plugin.jobs.workflow.reconstruct", _refuse)
            submit(connected, folder.name)
            wait_for(lambda: status_of() == "ERROR", what="the job failed")
        assert not (folder / "work").exists()
        assert retry(site, folder.name) == [folder.name]
        wait_for(lambda: status_of() == "SUCCESS", seconds=200, what="the retried job is done")
    assert len(list((folder / "qsm").iterdir())) == 28
    assert not (folder / "work").exists()


def _refuse(*_):
    raise InvalidInputError("no brain")


def test_a_delivery_of_files_that_are_gone_is_no_delivery(site):
    (site.spool / "jobs" / NAME / "qsm" / "2.dcm").unlink()
    with pytest.raises(JobFailedError) as caught:
        deliver(site, site.destinations[0].name).get_result()
    assert caught.value.code == "nothing-to-deliver"


@pytest.mark.parametrize("ended", ["CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"])
def test_jobs_that_ended_without_an_error_of_their_own_say_why(ended):
    workflow = WorkflowStatus()
    workflow.status, workflow.error, workflow.created_at, workflow.updated_at = ended, None, 0, 0
    found = _workflow(workflow)
    assert found["state"] == "failed"
    assert found["code"]
    assert "retry" in found["reason"]


def test_an_unknown_job_cannot_be_retried(site):
    with pytest.raises(PluginError, match="there is no job"):
        retry(site, "unknown")


@pytest.mark.parametrize("hours", [0.01, 1, 24])
def test_pauses_double_up_to_the_longest_and_end_in_time(hours):
    policy = Retry(first_seconds=5, longest_seconds=900, give_up_after_hours=hours)
    pauses = list(pauses_seconds(policy))
    assert sum(pauses) == pytest.approx(hours * 3600)
    assert max(pauses) <= 900
    assert all(b <= 2 * a for a, b in itertools.pairwise(pauses))


def test_the_sender_is_a_destination_only_if_wanted_and_known(site):
    job = Job.load(site.spool / "jobs" / NAME, root=site.spool)
    assert set(destinations(site, job)) == {"good", "bad"}
    callers = (Caller(ae_title="MR1", return_port=4006),)
    wanted = site.model_copy(update={"return_to_sender": True, "allowed_callers": callers})
    assert str(destinations(wanted, job)["sender"]) == "MR1@10.0.0.5:4006"


@pytest.mark.parametrize(
    ("error", "code", "heals"),
    [
        (Refusal("no-phase", "no phase"), "no-phase", False),
        (InvalidInputError("bad"), "invalid-input", False),
        (JobFailedError("grouping-changed", "x"), "grouping-changed", False),
        (EngineError("lost"), "step-failed", True),
        (OSError(28, "No space left on device"), "system-error", True),
        (MemoryError(), "system-error", True),
        (ValueError("PLANTED^NAME"), "step-failed", True),
    ],
)
def test_every_error_becomes_a_code_and_a_sentence_without_patient_data(error, code, heals):
    failure = failure_of(error, "read")
    assert failure.code == code
    assert may_heal(failure) is heals
    assert "PLANTED" not in str(failure)
    assert str(pickle.loads(pickle.dumps(failure))) == str(failure)
