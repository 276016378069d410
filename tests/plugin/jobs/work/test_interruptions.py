"""A worker that dies beneath a living supervisor counts against its job, the death of both does not."""

import json
import os

import pytest
import sqlalchemy as sa

from plugin.config.settings import Settings
from plugin.jobs.queue import client, prepare_database, submit
from plugin.jobs.work.interruptions import MOST_INTERRUPTIONS, excuse_interrupted

EXECUTOR = "worker-1"


class Site:
    """Two jobs in a real database, which is brought to what a worker leaves behind that is killed."""

    def __init__(self, folder):
        self.settings = Settings(spool=folder)
        prepare_database(self.settings)
        self.engine = sa.create_engine(self.settings.job_database_url)
        with client(self.settings) as connected:
            for job in ("a", "b"):
                submit(connected, job)
        self.note = folder / f".{EXECUTOR}.json"

    def set(self, job, **values):
        named = ", ".join(f"{name} = :{name}" for name in values)
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(f"UPDATE workflow_status SET {named} WHERE workflow_uuid = :job"), {**values, "job": job}
            )

    def record_step(self, job, number):
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name) VALUES (:j, :n, 's')"
                ),
                {"j": job, "n": number},
            )

    def killed(self, *jobs, supervisor=None):
        """Begin where these ran, and return what was queued again."""
        for job in jobs:
            self.set(job, status="PENDING", executor_id=EXECUTOR, recovery_attempts=3)
        return excuse_interrupted(self.settings, EXECUTOR, supervisor)

    def state(self, job):
        with client(self.settings) as connected:
            (found,) = connected.list_workflows(workflow_ids=[job])
        return found.status, found.recovery_attempts


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.engine.dispose()


def test_what_ran_is_queued_again_uncounted_where_the_supervisor_is_another(site):
    assert sorted(site.killed("a", "b", supervisor="one")) == ["a", "b"]
    assert site.state("a") == site.state("b") == ("ENQUEUED", 0)
    assert site.killed("b", supervisor="two") == ["b"]


def test_a_worker_that_died_beneath_the_same_supervisor_is_not_excused(site):
    site.killed(supervisor="one")
    assert site.killed("a", supervisor="one") == []
    assert site.state("a") == ("PENDING", 3)
    assert site.killed("a", supervisor="two") == ["a"]


def test_a_job_is_excused_so_often_in_a_row_though_others_ended_or_waited_in_between(site):
    for number in range(MOST_INTERRUPTIONS):
        assert site.killed("a", supervisor=f"supervisor {number}") == ["a"]
        site.killed(supervisor=f"without it {number}")  # it is queued, and the service ends before it begins
    assert site.killed("a", "b", supervisor="last") == ["b"]
    assert site.state("a") == ("PENDING", 3)
    assert site.killed("a", supervisor="after it") == []


def test_a_step_that_was_recorded_in_between_begins_the_count_again(site):
    for number in range(MOST_INTERRUPTIONS):
        site.killed("a", supervisor=f"supervisor {number}")
    site.record_step("a", 1)
    for number in range(MOST_INTERRUPTIONS):
        assert site.killed("a", supervisor=f"after it {number}") == ["a"]
    assert site.killed("a", supervisor="last") == []


def test_a_job_that_ended_is_forgotten(site):
    site.killed("a", supervisor="one")
    assert list(json.loads(site.note.read_text())["interrupted"]) == ["a"]
    site.set("a", status="SUCCESS")
    site.killed("b", supervisor="two")
    assert list(json.loads(site.note.read_text())["interrupted"]) == ["b"]


def test_what_cannot_be_noted_is_not_excused(site):
    site.note.mkdir()
    assert site.killed("a", supervisor="one") == []
    assert site.state("a") == ("PENDING", 3)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "[]",
        '{"supervisor": 3}',
        '{"supervisor": "x", "interrupted": {"a": 3}}',
        '{"supervisor": "x", "interrupted": {"a": {"n": 1}}}',
    ],
)
def test_a_damaged_note_is_none(site, note):
    site.note.write_text(note)
    assert site.killed("a", supervisor="one") == ["a"]
    assert site.killed("a", supervisor="one") == []


def test_the_parent_of_a_process_is_its_supervisor(site):
    assert site.killed("a") == ["a"]
    assert site.killed("a") == []
    assert f" {os.getppid()} " in site.note.read_text()
