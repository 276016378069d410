"""What becomes of work that nobody ends; the database is real, the workflows in it are not run."""

import threading

import pytest
from dbos import DBOS

from plugin.config.service_settings import Work
from plugin.config.settings import Settings
from plugin.jobs.durable import launch, reconstructing
from plugin.jobs.queue import RECONSTRUCT, TELL, client, prepare_database, submit
from plugin.jobs.work import running
from plugin.jobs.work.running import noted_step
from plugin.jobs.work.watchdog import EXIT_CANCELLED, EXIT_OVERDUE, Watchdog, hand_back, tell_of_given_up
from recon.options import Options
from tests.support.loopback import wait_for

EXECUTOR = "worker-1"


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """A worker whose jobs wait until they are let go; returns its settings and the event that lets them."""
    settings = Settings(spool=tmp_path)
    prepare_database(settings)
    go = threading.Event()

    def wait_in_step(*_):
        with noted_step("reconstruct"):
            go.wait(30)

    monkeypatch.setattr("plugin.jobs.durable.reconstruct_job", wait_in_step)
    launch(settings, EXECUTOR, reconstructing(settings, Options()))
    try:
        with client(settings) as connected:
            submit(connected, "job")
            wait_for(lambda: state(connected, "job") == "PENDING", seconds=60, what="the job runs")
            wait_for(lambda: "reconstruct" in [one.step for one in running.running()], seconds=60, what="it is noted")
            yield settings, connected, go
    finally:
        go.set()
        DBOS.destroy(workflow_completion_timeout_sec=5)


def state(connected, name):
    (found,) = connected.list_workflows(workflow_ids=[name])
    return found.status


def test_a_step_that_takes_too_long_and_a_cancelled_job_end_the_worker(worker):
    settings, connected, _ = worker
    ended = []
    watchdog = Watchdog(settings, EXECUTOR, end=ended.append)
    watchdog.end_overdue()
    watchdog.look(connected)
    assert ended == []
    hasty = settings.model_copy(update={"work": Work(step_minutes=1e-6)})
    Watchdog(hasty, EXECUTOR, end=ended.append).end_overdue()
    assert ended == [EXIT_OVERDUE]
    connected.cancel_workflow("job")
    watchdog.look(connected)
    assert ended == [EXIT_OVERDUE, EXIT_CANCELLED]


def test_work_that_nobody_does_any_more_is_done_again(worker, monkeypatch):
    settings, connected, go = worker
    watchdog = Watchdog(settings, EXECUTOR)
    with monkeypatch.context() as patch:
        patch.setattr("plugin.jobs.work.watchdog.running", lambda: ())
        watchdog.look(connected)
        assert state(connected, "job") == "PENDING"  # it may have been taken from the queue only just now
        watchdog.look(connected)
    assert state(connected, "job") == "ENQUEUED"
    go.set()
    wait_for(lambda: state(connected, "job") == "SUCCESS", what="the job is done")


def test_work_that_is_handed_back_counts_as_no_crash(worker):
    settings, connected, go = worker
    assert hand_back(settings, EXECUTOR) == ["job"]
    (found,) = connected.list_workflows(workflow_ids=["job"])
    assert (found.status, found.recovery_attempts, found.queue_name) == ("ENQUEUED", 0, RECONSTRUCT)
    go.set()
    wait_for(lambda: state(connected, "job") == "SUCCESS", what="the job is done")


def test_a_job_that_was_given_up_is_told_of_once(worker, monkeypatch):
    _, connected, _ = worker
    given_up = connected.list_workflows(workflow_ids=["job"])
    real = connected.list_workflows

    def listed(**wanted):
        return given_up if wanted.get("status") == "MAX_RECOVERY_ATTEMPTS_EXCEEDED" else real(**wanted)

    monkeypatch.setattr(connected, "list_workflows", listed)
    tell_of_given_up(connected)
    tell_of_given_up(connected)
    (told,) = real(name=TELL)
    assert told.workflow_id == "job.told"
    assert list(told.input["args"])[:2] == ["job", "worker-died"]
