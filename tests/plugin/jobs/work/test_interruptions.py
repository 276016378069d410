"""A worker that dies beneath a living supervisor counts against its job, the death of both does not."""

import os

import pytest

from plugin.config.settings import Settings
from plugin.jobs.work import interruptions
from plugin.jobs.work.interruptions import MOST_INTERRUPTIONS, excuse_interrupted

EXECUTOR = "worker-1"


@pytest.fixture
def interrupted(tmp_path, monkeypatch):
    """Return a function that begins under a supervisor and returns what was handed back of the jobs that ran."""
    settings = Settings(spool=tmp_path)

    def begin(supervisor, jobs=("a", "b")):
        monkeypatch.setattr(
            interruptions, "hand_back", lambda settings, executor, but: [job for job in jobs if job not in but]
        )
        return excuse_interrupted(settings, EXECUTOR, supervisor)

    return begin


def test_what_ran_is_handed_back_where_the_supervisor_is_another(interrupted):
    assert interrupted("one") == ["a", "b"]
    assert interrupted("two") == ["a", "b"]


def test_a_worker_that_died_beneath_the_same_supervisor_is_not_excused(interrupted):
    interrupted("one", jobs=())
    assert interrupted("one") == []
    assert interrupted("one") == []
    assert interrupted("two") == ["a", "b"]


def test_a_job_during_which_the_service_ended_very_often_is_not_excused_any_more(interrupted):
    for number in range(MOST_INTERRUPTIONS):
        assert interrupted(f"supervisor {number}", jobs=("a",)) == ["a"]
    assert interrupted("last") == ["b"]
    assert interrupted("after it") == ["b"]


def test_a_job_that_ended_in_between_begins_to_count_again(interrupted):
    for number in range(MOST_INTERRUPTIONS - 1):
        interrupted(f"supervisor {number}", jobs=("a",))
    interrupted("without it", jobs=())
    assert interrupted("last", jobs=("a",)) == ["a"]
    assert interrupted("after it", jobs=("a",)) == ["a"]


@pytest.mark.parametrize("note", ["", "{", "[]", '{"supervisor": 3}', '{"supervisor": "x", "interrupted": {"a": "b"}}'])
def test_a_damaged_note_is_none(interrupted, tmp_path, note):
    (tmp_path / f".{EXECUTOR}.json").write_text(note)
    assert interrupted("one") == ["a", "b"]
    assert interrupted("one") == []


def test_the_parent_of_a_process_is_its_supervisor(tmp_path, monkeypatch):
    monkeypatch.setattr(interruptions, "hand_back", lambda *_, but: ["a"])
    settings = Settings(spool=tmp_path)
    assert excuse_interrupted(settings, EXECUTOR) == ["a"]
    assert excuse_interrupted(settings, EXECUTOR) == []
    assert f" {os.getppid()} " in (tmp_path / f".{EXECUTOR}.json").read_text()
