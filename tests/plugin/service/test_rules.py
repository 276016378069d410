import pytest

from dicom_io.acquisition import Completeness
from dicom_io.errors import Refusal
from plugin.service.rules import SETTLE_SECONDS, Arrival, State, decide

COMPLETE = Completeness(state="complete")
GAP = Refusal("missing-slices", "echo 3 phase: slices 44-45 are missing")
INCOMPLETE = Completeness(state="incomplete", reason=GAP, missing=("echo 3 phase: slices 44-45",))
REFUSED = Completeness(state="refused", reason=Refusal("epi", "echo planar"))
SHORT, LONG = SETTLE_SECONDS / 2, SETTLE_SECONDS * 2


def arrival(idle, *, released=False, associations=1):
    return Arrival(idle_seconds=idle, released=released, associations=associations)


@pytest.mark.parametrize(
    ("completeness", "came", "state"),
    [
        (COMPLETE, arrival(0, released=True), State.QUEUED),
        (COMPLETE, arrival(SHORT), State.COLLECTING),
        (COMPLETE, arrival(LONG), State.QUEUED),
        (COMPLETE, arrival(SHORT, released=True, associations=2), State.COLLECTING),
        (COMPLETE, arrival(LONG, released=True, associations=2), State.QUEUED),
        (INCOMPLETE, arrival(LONG, released=True), State.COLLECTING),
        (INCOMPLETE, arrival(59.9), State.COLLECTING),
        (INCOMPLETE, arrival(60), State.INCOMPLETE),
        (REFUSED, arrival(0), State.REFUSED),
    ],
)
def test_the_table(completeness, came, state):
    assert decide(completeness, came, quiet_seconds=60).state is state


def test_what_is_missing_is_handed_on():
    decision = decide(INCOMPLETE, arrival(60), quiet_seconds=60)
    assert (decision.code, decision.reason, decision.missing) == (GAP.code, GAP.message, INCOMPLETE.missing)


def test_a_clock_that_was_set_back_runs_nothing_early():
    assert decide(COMPLETE, arrival(-3600), quiet_seconds=60).state is State.COLLECTING
