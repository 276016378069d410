"""When an acquisition is complete: the decision alone, without clock, files or database.

Evidence, the strongest first: the structure of the grid and the scanner's own counts; the release of the association;
what the sender announced (storage commitment, MPPS, Instance Availability Notification); a pause.

In short: a full grid on one released association starts at once, on several released ones after 2 s without more.
While an association is open it waits for its end, at most until nothing came for ``quiet_seconds``. After an aborted or
lost one a full grid proves nothing, for a stack cut short has no gap: it waits as long, and is then run only if the
scanner's own counts say that nothing is missing. Where the sender announced all images and all of them are here,
neither waits; where some that it announced are not, a full grid without counts waits for them. An incomplete one waits
as long too, unless all that was announced is here, and is then reported, kept, and never run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dicom_io.source.acquisition.completeness import Completeness

SETTLE_SECONDS = 2.0
"""How long a full grid waits after a release: another echo may come on the next association."""

INTERRUPTED = "interrupted"
"""Code of an acquisition whose sender was cut off."""

AWAITED = "announced-missing"
"""Code of an acquisition of which the sender announced more than it sent."""


class State(StrEnum):
    """What an acquisition has become."""

    COLLECTING = "collecting"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    IGNORED = "ignored"
    QUEUED = "queued"


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """How the images of an acquisition came.

    Parameters
    ----------
    idle_seconds
        Since the last of them.
    associations
        How many associations they came on.
    open
        How many of those may still bring images.
    aborted, lost
        How many of those were cut off by an A-ABORT, or by the network's or this service's failure, and not made
        good by a later association that was released.
    announced
        Who announced all images of the acquisition: ``"mpps"``, ``"ian"``, ``"commitment"``, or nobody.
    awaited, expected
        How many announced images of its series, and of the same announcements altogether, have not arrived.
    """

    idle_seconds: float
    associations: int
    open: int = 0
    aborted: int = 0
    lost: int = 0
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


def decide(completeness: Completeness, arrival: Arrival, *, quiet_seconds: float, counted: bool = False) -> Decision:
    """Decide whether an acquisition is run, waited for, or given up until more images come.

    A release counts at once only where all images came on one association: some senders open one for each image,
    and their releases say little. A refusal does not wait, for no further image can lift it.

    Parameters
    ----------
    quiet_seconds
        How long to wait where more images may come.
    counted
        Whether the scanner declares how many images there are, and that many are there.
    """
    quiet = arrival.idle_seconds >= quiet_seconds
    if completeness.state == "complete":
        return _decide_full(arrival, quiet=quiet, counted=counted)
    refused = completeness.state == "refused"
    all_said_is_here = bool(arrival.announced) and not arrival.expected and not arrival.open
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


def _decide_full(arrival: Arrival, *, quiet: bool, counted: bool) -> Decision:
    """Decide about a grid without gaps."""
    structure = "full grid, as many as the scanner counts" if counted else "full grid"
    if arrival.awaited and not counted:
        return _awaited(arrival) if quiet else Decision(state=State.COLLECTING)
    if arrival.announced and not arrival.awaited:
        return Decision(state=State.QUEUED, evidence=f"{structure}; all that {arrival.announced} announced")
    if arrival.aborted or arrival.lost:
        if quiet and not counted:
            return _interrupted(arrival)
        ready, ended = quiet, "interrupted, then quiet"
    elif arrival.open:
        ready, ended = quiet, "association open, but quiet"
    else:
        ready = arrival.associations == 1 or arrival.idle_seconds >= SETTLE_SECONDS
        ended = "association released" if arrival.associations == 1 else "associations released"
    return Decision(state=State.QUEUED, evidence=f"{structure}; {ended}") if ready else Decision(state=State.COLLECTING)


def _awaited(arrival: Arrival) -> Decision:
    reason = f"{arrival.awaited} images that the sender announced did not arrive; send the complete series again"
    return Decision(state=State.INCOMPLETE, code=AWAITED, reason=reason, evidence="quiet time")


def _interrupted(arrival: Arrival) -> Decision:
    how = "aborted" if arrival.aborted else "lost"
    reason = f"the association was {how} and not resumed, so images may be missing; send the complete series again"
    return Decision(state=State.INCOMPLETE, code=INTERRUPTED, reason=reason, evidence="quiet time")
