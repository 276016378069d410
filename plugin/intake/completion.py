"""When an acquisition is complete: the decision alone, without clock, files or database.

Evidence, the strongest first: the structure of the grid and the scanner's own counts; the performed procedure step
(MPPS), which lists at its end all images that there are; the release of the association; a pause. An Instance
Availability Notification or a request for storage commitment names images that were sent so far, maybe of one echo.

In short: a full grid of as many images as the scanner counts starts at once on one released association, on several
released ones after 2 s without more. While an association is open it waits for its end, at most until nothing came for
``quiet_seconds``. Where the scanner states no counts, a full grid may be the first of several echoes: it waits until
nothing of the study came for ``quiet_seconds``, whether its associations have ended or not. After an aborted or lost
one such a grid proves nothing, for a stack cut short has no gap: it is not run until its sender goes on. Where all
images of a procedure step are here, or all that were announced of a counted grid, nothing waits; where some that were
announced are not, a grid without counts waits for them. An incomplete acquisition waits until nothing of the study came
for ``quiet_seconds``, unless all images of the step are here, and is then reported, kept, and never run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dicom_io.source.acquisition.completeness import Completeness

SETTLE_SECONDS = 2.0
"""How long a full grid waits after the last of several releases: its sender may send an image again."""

_STEP = "mpps"

INTERRUPTED = "interrupted"
"""Code of an acquisition whose sender was cut off."""

AWAITED = "announced-missing"
"""Code of an acquisition of which the sender announced more than it sent."""


PAGE_PATIENCE = 5.0
"""How many times ``quiet_seconds`` the page that no map was made is held back while further images could make one."""


class State(StrEnum):
    """What an acquisition has become."""

    COLLECTING = "collecting"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    IGNORED = "ignored"
    QUEUED = "queued"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """How the images of an acquisition came.

    Parameters
    ----------
    idle_seconds, study_idle_seconds
        Since the last of them, and since the last image of the study.
    associations, open
        How many associations they came on, and how many of those may still bring images.
    aborted, lost
        How many were cut off by an A-ABORT, or by a failure of the network or of this service, and not made good by a
        later association that was released.
    recovered
        How many ended in an unknown way, because the index was lost or older than the images.
    announced
        Who announced all images of the acquisition: ``"mpps"``, ``"ian"``, ``"commitment"``, several, or nobody.
    awaited, expected
        How many announced images of its series, and of the same announcements altogether, have not arrived.
    """

    idle_seconds: float
    study_idle_seconds: float
    associations: int
    open: int = 0
    aborted: int = 0
    lost: int = 0
    recovered: int = 0
    announced: str = ""
    awaited: int = 0
    expected: int = 0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done with an acquisition, and why."""

    state: State
    code: str = ""
    reason: str = ""
    missing: tuple[str, ...] = ()
    evidence: str = ""


def decide(completeness: Completeness, arrival: Arrival, *, quiet_seconds: float) -> Decision:
    """Decide whether an acquisition is run, waited for, or given up until more images come.

    A release counts at once only where all images came on one association: some senders open one for each image,
    and their releases say little. A refusal is stated at once. ``quiet_seconds`` is how long to wait where more images
    may come.
    """
    if completeness.state == "complete":
        return _decide_full(arrival, quiet_seconds, counted=completeness.counted)
    quiet, refused = arrival.study_idle_seconds >= quiet_seconds, completeness.state == "refused"
    all_said_is_here = _STEP in arrival.announced and not arrival.expected and not arrival.open
    if not refused and not quiet and not all_said_is_here:
        return Decision(state=State.COLLECTING)
    reason = completeness.reason
    return Decision(
        state=State.REFUSED if refused else State.INCOMPLETE,
        code=reason.code if reason else completeness.state,
        reason=reason.message if reason else "images are missing; send the complete series again",
        missing=completeness.missing,
        evidence="structure" if refused else f"{arrival.announced}: nothing more comes" if not quiet else "quiet time",
    )


def page_is_due(state: State, study_idle_seconds: float, *, quiet_seconds: float) -> bool:
    """Whether the page that no map was made may be sent: a page that a map follows is worse than none.

    It waits until nothing of the study came for ``quiet_seconds``, and ``PAGE_PATIENCE`` times as long for an
    incomplete acquisition, whose rest may come late.
    """
    return study_idle_seconds >= quiet_seconds * (PAGE_PATIENCE if state is State.INCOMPLETE else 1.0)


def _decide_full(arrival: Arrival, quiet_seconds: float, *, counted: bool) -> Decision:
    """Decide about a grid without gaps."""
    structure = "full grid, as many as the scanner counts" if counted else "full grid"
    quiet = (arrival.idle_seconds if counted else arrival.study_idle_seconds) >= quiet_seconds
    if arrival.awaited and not counted:
        what = f"{arrival.awaited} images that the sender announced did not arrive"
        return _incomplete(AWAITED, what) if quiet else Decision(state=State.COLLECTING)
    all_is_here = bool(arrival.announced) and not arrival.awaited
    if all_is_here and (counted or (_STEP in arrival.announced and not arrival.expected)):
        return Decision(state=State.QUEUED, evidence=f"{structure}; all that {arrival.announced} announced")
    if arrival.aborted or arrival.lost:
        if quiet and not counted:
            how = "aborted" if arrival.aborted else "lost"
            return _incomplete(INTERRUPTED, f"the association was {how} and not resumed, so images may be missing")
        ready, ended = quiet, "interrupted, then quiet"
    elif arrival.open:
        ready, ended = quiet, "association open, but quiet"
    elif arrival.recovered:
        ready, ended = counted or quiet, "found on the disk"
    elif not counted:
        ready, ended = quiet, "associations released, then quiet"
    else:
        ready = arrival.associations == 1 or arrival.idle_seconds >= SETTLE_SECONDS
        ended = "association released" if arrival.associations == 1 else "associations released"
    return Decision(state=State.QUEUED, evidence=f"{structure}; {ended}") if ready else Decision(state=State.COLLECTING)


def _incomplete(code: str, found: str) -> Decision:
    reason = f"{found}; send the complete series again"
    return Decision(state=State.INCOMPLETE, code=code, reason=reason, evidence="quiet time")
