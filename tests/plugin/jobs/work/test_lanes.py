from types import SimpleNamespace

import pytest

from plugin.config.service_settings import Work
from plugin.config.settings import Settings
from plugin.jobs.queue import RECONSTRUCT, client, prepare_database
from plugin.jobs.work import lanes
from plugin.jobs.work.lanes import Lanes


@pytest.fixture
def connected(tmp_path, monkeypatch):
    """A new queue, and a spool whose jobs come from the caller that their name begins with."""
    settings = Settings(spool=tmp_path, work=Work(urgent_callers=("er*",)))
    prepare_database(settings)
    load = lambda folder, root: SimpleNamespace(calling_ae=folder.name.partition("-")[0])  # noqa: E731
    monkeypatch.setattr(lanes, "Job", SimpleNamespace(load=load))
    with client(settings) as connected:
        yield settings, connected


def order(connected):
    """Return the jobs in the order in which the queue takes them."""
    waiting = connected.list_workflows(name=RECONSTRUCT, load_input=False)
    return [one.workflow_id for one in sorted(waiting, key=lambda one: (one.priority, one.created_at))]


def test_two_urgent_jobs_go_for_one_of_the_others(connected):
    settings, client = connected
    submitter = Lanes(settings, client)
    for n in range(4):
        submitter.submit(f"MR1-{n}")
    submitter = Lanes(settings, client)  # the assembler was restarted
    for n in range(4):
        submitter.submit(f"ER1-{n}")
    found = [name.partition("-")[0] for name in order(client)]
    assert found == ["ER1", "MR1", "ER1", "ER1", "MR1", "ER1", "MR1", "MR1"]


def test_the_same_job_again_keeps_its_place(connected):
    settings, client = connected
    submitter = Lanes(settings, client)
    for name in ("MR1-0", "MR1-1", "MR1-0"):
        submitter.submit(name)
    assert order(client) == ["MR1-0", "MR1-1"]
