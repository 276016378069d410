import pytest

from dicom_io.errors import Refusal
from dicom_io.source.acquisition.completeness import Completeness
from plugin.intake.completion import PAGE_PATIENCE, SETTLE_SECONDS, Arrival, State, decide, page_is_due

COMPLETE = Completeness(state="complete")
COUNTED = Completeness(state="complete", counted=True)
GAP = Refusal("missing-slices", "echo 3 phase: slices 44-45 are missing")
INCOMPLETE = Completeness(state="incomplete", reason=GAP, missing=("echo 3 phase: slices 44-45",))
REFUSED = Completeness(state="refused", reason=Refusal("epi", "echo planar"))
SHORT, LONG = SETTLE_SECONDS / 2, SETTLE_SECONDS * 2


def arrival(idle, *, study_idle=None, associations=1, **ends):
    study_idle_seconds = idle if study_idle is None else study_idle
    return Arrival(idle_seconds=idle, study_idle_seconds=study_idle_seconds, associations=associations, **ends)


@pytest.mark.parametrize(
    ("completeness", "came", "state"),
    [
        (COUNTED, arrival(0), State.QUEUED),
        (COUNTED, arrival(SHORT, associations=2), State.COLLECTING),
        (COUNTED, arrival(LONG, associations=2), State.QUEUED),
        (COUNTED, arrival(LONG, open=1), State.COLLECTING),
        (COUNTED, arrival(60, study_idle=0, open=1), State.QUEUED),
        (COMPLETE, arrival(0), State.COLLECTING),
        (COMPLETE, arrival(59.9, associations=2), State.COLLECTING),
        (COMPLETE, arrival(60), State.QUEUED),
        (COMPLETE, arrival(60, associations=2), State.QUEUED),
        (COMPLETE, arrival(90, study_idle=59.9), State.COLLECTING),
        (COMPLETE, arrival(LONG, open=1), State.COLLECTING),
        (COMPLETE, arrival(60, open=1), State.QUEUED),
        (COMPLETE, arrival(LONG, aborted=1), State.COLLECTING),
        (COMPLETE, arrival(60, aborted=1), State.INCOMPLETE),
        (COMPLETE, arrival(LONG, lost=1), State.COLLECTING),
        (COMPLETE, arrival(60, lost=1), State.INCOMPLETE),
        (COMPLETE, arrival(60, lost=1, open=1, associations=2), State.INCOMPLETE),
        (INCOMPLETE, arrival(LONG), State.COLLECTING),
        (INCOMPLETE, arrival(59.9, open=1), State.COLLECTING),
        (INCOMPLETE, arrival(60), State.INCOMPLETE),
        (INCOMPLETE, arrival(90, study_idle=59.9), State.COLLECTING),
        (INCOMPLETE, arrival(60, aborted=1), State.INCOMPLETE),
        (REFUSED, arrival(0), State.REFUSED),
        (COMPLETE, arrival(0, open=1, announced="mpps"), State.QUEUED),
        (COMPLETE, arrival(0, aborted=1, announced="mpps"), State.QUEUED),
        (COUNTED, arrival(SHORT, associations=2, announced="ian"), State.QUEUED),
        (COUNTED, arrival(0, open=1, announced="commitment"), State.QUEUED),
        (COMPLETE, arrival(SHORT, associations=2, announced="ian and mpps"), State.QUEUED),
        (COMPLETE, arrival(SHORT, associations=2, announced="ian"), State.COLLECTING),
        (COMPLETE, arrival(60, associations=2, announced="ian"), State.QUEUED),
        (COMPLETE, arrival(0, announced="commitment"), State.COLLECTING),
        (COMPLETE, arrival(LONG, announced="mpps", expected=2), State.COLLECTING),
        (COMPLETE, arrival(60, announced="mpps", expected=2), State.QUEUED),
        (COUNTED, arrival(0, open=1, announced="mpps", expected=2), State.QUEUED),
        (COMPLETE, arrival(LONG, awaited=2), State.COLLECTING),
        (COMPLETE, arrival(60, awaited=2), State.INCOMPLETE),
        (INCOMPLETE, arrival(0, announced="mpps"), State.INCOMPLETE),
        (INCOMPLETE, arrival(0, announced="mpps", expected=3), State.COLLECTING),
        (INCOMPLETE, arrival(0, announced="mpps", open=1), State.COLLECTING),
        (INCOMPLETE, arrival(0, announced="commitment"), State.COLLECTING),
    ],
)
def test_the_table(completeness, came, state):
    assert decide(completeness, came, quiet_seconds=60).state is state


@pytest.mark.parametrize("how", ["aborted", "lost"])
def test_after_an_interruption_only_the_scanners_own_count_proves_completeness(how):
    said = decide(COMPLETE, arrival(60, **{how: 1}), quiet_seconds=60)
    assert (said.state, said.code) == (State.INCOMPLETE, "interrupted")
    assert how in said.reason
    assert decide(COUNTED, arrival(59, **{how: 1}), quiet_seconds=60).state is State.COLLECTING
    assert decide(COUNTED, arrival(60, **{how: 1}), quiet_seconds=60).state is State.QUEUED


def test_what_is_missing_is_handed_on():
    decision = decide(INCOMPLETE, arrival(60), quiet_seconds=60)
    assert (decision.code, decision.reason, decision.missing) == (GAP.code, GAP.message, INCOMPLETE.missing)


def test_a_clock_that_was_set_back_runs_nothing_early():
    assert decide(COMPLETE, arrival(-3600, associations=2), quiet_seconds=60).state is State.COLLECTING


@pytest.mark.parametrize(
    ("completeness", "came", "evidence"),
    [
        (COUNTED, arrival(0), "full grid, as many as the scanner counts; association released"),
        (COUNTED, arrival(LONG, associations=2), "full grid, as many as the scanner counts; associations released"),
        (COMPLETE, arrival(60), "full grid; associations released, then quiet"),
        (COMPLETE, arrival(0, open=1, announced="mpps"), "full grid; all that mpps announced"),
        (COMPLETE, arrival(60, open=1), "full grid; association open, but quiet"),
    ],
)
def test_a_decision_says_what_it_follows_from(completeness, came, evidence):
    assert decide(completeness, came, quiet_seconds=60).evidence == evidence


def test_the_scanners_own_counts_are_stronger_than_what_was_announced():
    came = arrival(LONG, awaited=2)  # such as weighted images that are not sent
    assert decide(COUNTED, came, quiet_seconds=60).state is State.QUEUED
    said = decide(COMPLETE, arrival(60, awaited=2), quiet_seconds=60)
    assert said.code == "announced-missing"
    assert "2 images" in said.reason


@pytest.mark.parametrize(("state", "patience"), [(State.REFUSED, 1.0), (State.INCOMPLETE, PAGE_PATIENCE)])
def test_a_page_waits_longer_where_more_images_could_make_it_wrong(state, patience):
    assert not page_is_due(state, 60 * patience - 0.1, quiet_seconds=60)
    assert page_is_due(state, 60 * patience, quiet_seconds=60)
