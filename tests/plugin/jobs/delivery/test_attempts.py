import itertools
from dataclasses import replace

import pytest

from plugin.config.settings import Retry, Settings
from plugin.jobs.delivery import attempts
from plugin.jobs.delivery.attempts import pause_seconds
from plugin.jobs.delivery.deliveries import Attempt

FIRST = Attempt(job="job", destination="pacs", part="qsm", names=["qsm/1.dcm"], queued_at=0.0, begun_at=1000.0)


def pauses(retry, *, refused_at=None, attempt_takes=0.0):
    """Return the pauses between attempts that all fail, each of which takes some seconds."""
    now, found = FIRST.begun_at + attempt_takes, []
    for number in itertools.count(1):
        pause = pause_seconds(retry, replace(FIRST, number=number), refused_at, now)
        if pause is None:
            return found
        found.append(pause)
        now += pause + attempt_takes
    raise AssertionError("attempts never end")


@pytest.mark.parametrize("hours", [0.01, 1, 24])
def test_pauses_double_up_to_the_longest_and_end_in_time(hours):
    found = pauses(Retry(first_seconds=5, longest_seconds=900, give_up_after_hours=hours))
    assert sum(found) == pytest.approx(hours * 3600)
    assert max(found) <= 900
    assert all(b <= 2 * a for a, b in itertools.pairwise(found))


def test_the_limit_is_absolute_however_long_attempts_take():
    found = pauses(Retry(give_up_after_hours=1), attempt_takes=300.0)
    assert sum(found) + 300.0 * len(found) <= 3600


def test_refused_objects_are_tried_for_hours_since_the_first_refusal():
    retry = Retry(give_up_after_hours=24, give_up_refused_after_hours=6)
    assert sum(pauses(retry, refused_at=FIRST.begun_at + 3600)) == pytest.approx(7 * 3600)


def test_a_send_that_an_earlier_version_recorded_is_continued(monkeypatch):
    queued = []
    sent = {"undelivered": ["qsm/1.dcm"], "trouble": "refused", "reason": "0xA700", "delivered": 0, "jitter": 1.0}
    monkeypatch.setattr(attempts, "durably", lambda *_: {**sent, "seconds": 0.1, "ended_at": 1.7e9})
    monkeypatch.setattr(attempts, "queue_next", lambda *following: queued.append(following))
    attempts.deliver(Settings(), attempts.Contacts(30.0), replace(FIRST, begun_at=0.0))
    ((following, trouble, _, age_seconds, pause),) = queued
    assert (following.names, following.refused_at, trouble, age_seconds) == (["qsm/1.dcm"], 0.0, "refused", 0.0)
    assert pause == Retry().first_seconds
