import time
from dataclasses import asdict, replace

import pytest

from plugin.jobs.delivery.age import Age
from plugin.jobs.delivery.deliveries import Attempt

DAY = 86400.0


def test_within_a_run_of_the_service_the_monotonic_clock_counts(monkeypatch):
    age = Age(seconds=100.0, pause_seconds=60.0)
    monkeypatch.setattr(time, "time", lambda: age.queued_at + 2 * DAY)
    monkeypatch.setattr(time, "monotonic", lambda: age.monotonic_seconds + 3600.0)
    assert age.seconds_now() == pytest.approx(3700.0)  # it waited longer for a slot than it was to


@pytest.mark.parametrize(("passed", "counted"), [(10.0, 10.0), (2 * DAY, 60.0), (-DAY, 0.0)])
def test_across_runs_a_delivery_ages_by_its_pause_at_most(monkeypatch, passed, counted):
    age = Age(seconds=100.0, pause_seconds=60.0, run="another", monotonic_seconds=5.0)
    monkeypatch.setattr(time, "time", lambda: age.queued_at + passed)
    assert age.seconds_now() == pytest.approx(100.0 + counted)


def test_an_attempt_of_a_later_version_is_understood_as_far_as_it_is_known():
    attempt = Attempt(job="job", destination="pacs", part="qsm", names=[], queued_at=1.0, refused_at=5.0)
    values = asdict(attempt)
    assert Attempt.of({**values, "of_later": 3, "age": {**values["age"], "of_later": 4}}) == attempt


def test_an_attempt_of_an_earlier_version_begins_again():
    attempt = Attempt(job="job", destination="pacs", part="qsm", names=[], queued_at=1.0, refused_at=5.0, sent_at=9.0)
    values = asdict(attempt)
    assert Attempt.of(values) == attempt
    del values["age"], values["begun_at"]
    found = Attempt.of({**values, "refused_at": 1.7e9, "sent_at": 1.7e9})
    assert replace(found, age=attempt.age) == replace(attempt, refused_at=None, sent_at=0.0)
