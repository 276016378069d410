import pytest

from plugin.errors import JobFailedError
from plugin.jobs import steps


def test_a_step_is_run_again_while_the_disk_is_full(monkeypatch):
    monkeypatch.setattr(steps, "_DISK_FULL_PAUSE_SECONDS", 0)
    outcomes = iter([OSError(28, "No space left on device"), OSError(122, "Disk quota exceeded"), None])

    def write():
        if (outcome := next(outcomes)) is not None:
            raise outcome
        return "written"

    assert steps._when_there_is_space("write", write) == "written"


def test_other_errors_are_not_waited_for():
    def fail():
        raise OSError(5, "Input/output error")

    with pytest.raises(JobFailedError, match="Input/output error"):
        steps._when_there_is_space("write", fail)
