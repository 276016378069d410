import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest
from dbos import WorkflowStatus, _dbos, _queue, _workflow_commands
from pydicom import dcmread

from dicom_io.derived.product import FIRST_PART, OTHER_PART
from dicom_io.errors import Refusal
from dicom_io.source.acquisition.grouping import group_acquisitions
from plugin.config.settings import Caller, Destination, Objects, Retry, Settings
from plugin.errors import JobFailedError, PluginError
from plugin.jobs import durable
from plugin.jobs.delivery import deliveries
from plugin.jobs.delivery.deliveries import Attempt, destinations
from plugin.jobs.job import Job
from plugin.jobs.queue import RECONSTRUCT, attempt_name, client, delivery_name, submit
from plugin.jobs.serializer import JsonSerializer
from plugin.jobs.steps import failure_of, may_heal
from plugin.service.control import cancel, retry
from plugin.service.status import shown_of, status
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


IMPATIENT = Retry(
    first_seconds=0.2,
    longest_seconds=0.4,
    give_up_after_hours=5 / 3600,
    give_up_refused_after_hours=2 / 3600,
    probe_seconds=0.2,
)


@pytest.fixture
def site(tmp_path, scan, request):
    """A spool with one reconstructed job, and the workflows of a worker and a deliverer on it."""
    settings = Settings(
        spool=tmp_path,
        destinations=(destination("good", free_port()), destination("bad", free_port())),
        objects=Objects({"quality-page": False, "refusal-page": False}),
        retry=getattr(request, "param", IMPATIENT),
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


def deliver(settings, name, part=FIRST_PART, files=FILES, delay_seconds=None):
    """Queue a delivery and return its first attempt."""
    attempt = Attempt(job=NAME, destination=name, part=part, names=list(files), queued_at=time.time())
    with client(settings) as connected:
        options = attempt.options if delay_seconds is None else {**attempt.options, "delay_seconds": delay_seconds}
        return connected.enqueue(options, asdict(attempt))


def map_to(destination):
    return delivery_name(NAME, destination.name, FIRST_PART)


def attempts(settings, destination, part=FIRST_PART):
    """Return the states of the attempts of a delivery, the first one first."""
    with client(settings) as connected:
        found = connected.list_workflows(workflow_id_prefix=delivery_name(NAME, destination.name, part))
        return [one.status for one in found]


def wait_until(settings, destination, state, seconds=20):
    wait_for(lambda: attempts(settings, destination)[-1:] == [state], seconds=seconds, what=f"the delivery is {state}")


def test_a_dead_destination_delays_no_other_and_retry_sends_to_it_again(site):
    good, bad = site.destinations
    deliver(site, bad.name)
    with pacs(good.port) as peer:
        deliver(site, good.name).get_result()
        assert attempts(site, bad)[-1] in ("DELAYED", "ENQUEUED", "PENDING")
    assert len(peer.uids()) == 4
    wait_until(site, bad, "ERROR")
    with pytest.raises(PluginError, match="nothing of job"):
        retry(site, map_to(good))
    with pacs(bad.port) as peer:
        assert retry(site, NAME) == [map_to(bad)]
        wait_until(site, bad, "SUCCESS")
        assert len(peer.uids()) == 4
    with pytest.raises(PluginError, match="nothing of job"):
        retry(site, NAME)


@pytest.mark.parametrize("site", [Retry(first_seconds=60)], indirect=True)
def test_a_wait_holds_no_slot_of_its_destination(site):
    """More deliveries than a destination has slots are refused; one that it takes passes all of them."""
    good, _ = site.destinations
    with pacs(good.port, answer=lambda n: 0xA900 if n <= 6 * 3 else 0x0000) as peer:
        for n in range(6):
            deliver(site, good.name, part=f"refused-{n}")
        wait_for(lambda: peer.requests == 6 * 3, what="all are refused")
        deliver(site, good.name).get_result()
        assert len(peer.uids()) == 4


@pytest.mark.parametrize("site", [Retry(first_seconds=60, probe_seconds=0.3)], indirect=True)
def test_after_an_outage_an_echo_brings_all_deliveries_back_at_once(site):
    good, _ = site.destinations
    for n in range(6):
        deliver(site, good.name, part=f"part-{n}")
    wait_for(lambda: attempts(site, good, "part-5")[-1:] == ["DELAYED"], what="the destination is found to be away")
    with pacs(good.port) as peer:
        wait_for(lambda: len(peer.uids()) == 6 * 4, what="everything is delivered")
    with client(site) as connected:
        waited = connected.list_workflows(workflow_id_prefix=map_to(good).partition("+")[0], load_input=False)
    assert all((one.attributes or {"waits": "away"})["waits"] == "away" for one in waited)


def test_other_objects_are_released_by_the_first_attempt_to_deliver_the_map(site):
    good, _ = site.destinations
    with pacs(good.port) as peer:
        others = deliver(site, good.name, OTHER_PART, FILES[3:], delay_seconds=60)
        deliver(site, good.name, files=FILES[:3])
        others.get_result()
        folder = site.spool / "jobs" / NAME
        assert peer.uids() == [dcmread(folder / name).SOPInstanceUID for name in FILES]


def test_the_database_holds_json_alone(site):
    good, _ = site.destinations
    with pacs(good.port):
        deliver(site, good.name).get_result()
    with closing(sqlite3.connect(site.spool / "jobs.sqlite")) as database:
        for table in ("workflow_status", "operation_outputs", "workflow_events"):
            formats = {row[0] for row in database.execute(f"SELECT serialization FROM {table}")}
            assert formats <= {JsonSerializer().name(), None}


def test_dbos_looks_seldom_for_what_does_not_occur(site):
    """DBOS has no setting for this, and another version may have other private names."""
    assert _dbos._get_dbos_instance()._registry.get_internal_queue()._polling_interval_sec == durable._SELDOM_SECONDS
    assert "_polling_interval_sec" in _queue.queue_worker_thread.__code__.co_names
    assert "_BACKGROUND_JOBS_INTERVAL_SEC" in _workflow_commands.background_jobs_thread.__code__.co_names
    assert _workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC == 1.0  # deliveries wait


def test_making_the_other_objects_does_not_wait_long_for_the_map(site, monkeypatch):
    monkeypatch.setattr(deliveries, "_MAP_ALONE_SECONDS", 0.5)
    began = time.monotonic()
    deliveries.wait_for_map(["never-ends", "never-begins"])
    assert 0.5 <= time.monotonic() - began < 5


def test_only_what_is_missing_is_sent_again(site):
    good, _ = site.destinations
    with pacs(good.port, answer=lambda n: 0xA700 if n == 2 else 0x0000) as peer:
        deliver(site, good.name)
        wait_for(lambda: attempts(site, good) == ["SUCCESS", "SUCCESS"], what="the second attempt is done")
        assert peer.requests == 5
        assert len(set(peer.uids())) == 4


def test_a_peer_that_refuses_the_objects_is_given_up_with_the_reason(site):
    good, _ = site.destinations
    with pacs(good.port, answer=lambda _n: 0xA900) as peer:
        deliver(site, good.name)
        wait_until(site, good, "ERROR")
    assert 3 * 2 <= peer.requests <= 3 * 12  # three an attempt, for two seconds
    with client(site) as connected:
        last = attempt_name(map_to(good), len(attempts(site, good)))
        (found,) = connected.list_workflows(workflow_ids=[last])
    assert found.error.code == "delivery-failed"
    assert "0xA900" in found.error.sentence


def test_a_cancelled_delivery_ends_and_can_be_retried(site):
    good, _ = site.destinations
    deliver(site, good.name, delay_seconds=60)
    assert cancel(site, NAME) == [map_to(good)]
    assert attempts(site, good) == ["CANCELLED"]
    with pytest.raises(PluginError, match="is finished"):
        cancel(site, NAME)
    with pacs(good.port) as peer:
        assert retry(site, NAME) == [map_to(good)]
        wait_until(site, good, "SUCCESS")
        assert len(peer.uids()) == 4


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
    workflow.name, workflow.status, workflow.error, workflow.attributes = RECONSTRUCT, ended, None, None
    workflow.created_at = workflow.updated_at = 0
    found = shown_of(workflow)
    assert found["state"] == "failed"
    assert found["code"]
    assert "retry" in found["reason"]


def test_an_unknown_job_cannot_be_retried(site):
    with pytest.raises(PluginError, match="there is no job"):
        retry(site, "unknown")


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
        (OSError(5, "Input/output error"), "system-error", True),
        (OSError(28, "No space left on device"), "disk-full", False),
        (MemoryError(), "system-error", True),
        (ValueError("PLANTED^NAME"), "step-failed", True),
    ],
)
def test_every_error_becomes_a_code_and_a_sentence_without_patient_data(error, code, heals):
    failure = failure_of(error, "read")
    assert failure.code == code
    assert may_heal(failure) is heals
    assert "PLANTED" not in str(failure)
    serializer = JsonSerializer()
    assert str(serializer.deserialize(serializer.serialize(failure))) == str(failure)
