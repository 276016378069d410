"""The map has the machine for itself while it is delivered, but nobody waits long for a destination that is away."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from dbos import DBOS

from plugin.config.settings import Destination, Settings
from plugin.jobs import deliveries
from plugin.jobs.job import Job

JOB = Job(headers=(), created=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def settings(tmp_path):
    peers = tuple(
        Destination(name=name, ae_title="PACS", host="127.0.0.1", port=104) for name in ("archive", "console")
    )
    return Settings(spool=tmp_path, destinations=peers)


@pytest.fixture
def states(monkeypatch):
    """What the durable workflow says of the deliveries, one answer after the other."""
    told = {}

    def status_of(name):
        answers = told[name]
        return SimpleNamespace(status=answers.pop(0) if len(answers) > 1 else answers[0])

    monkeypatch.setattr(DBOS, "get_workflow_status", status_of)
    monkeypatch.setattr(deliveries, "_POLL_SECONDS", 0.001)
    return told


def test_it_is_waited_for_until_it_is_everywhere(settings, states):
    states["job.archive"] = ["ENQUEUED", "PENDING", "PENDING", "SUCCESS"]
    states["job.console"] = ["PENDING", "ERROR"]
    deliveries.let_the_map_go(settings, "job", JOB)
    assert states == {"job.archive": ["SUCCESS"], "job.console": ["ERROR"]}


def test_it_is_not_waited_for_longer_than_a_moment(settings, states, monkeypatch):
    monkeypatch.setattr(deliveries, "_MAP_ALONE_SECONDS", 0.05)
    states["job.archive"] = states["job.console"] = ["PENDING"]
    deliveries.let_the_map_go(settings, "job", JOB)  # ends, although neither delivery does
