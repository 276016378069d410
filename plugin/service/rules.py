"""When an acquisition is complete: the decision alone, without clock, files or database.

In short: a full grid on one released association starts at once, on several released ones after 2 s without
more. While an association is open it waits for its end, at most until nothing came for ``quiet_seconds``. After
an aborted or lost one a full grid proves nothing, for a stack cut short has no gap: it waits as long, and is then
run only if the scanner's own counts say that nothing is missing. An incomplete one waits as long too, and is then
reported, kept, and never run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dicom_io.acquisition import Completeness

SETTLE_SECONDS = 2.0
"""How long a full grid waits after a release: another echo may come on the next association."""

INTERRUPTED = "interrupted"
"""Code of an acquisition whose sender was cut off."""


class State(StrEnum):
    """What an acquisition has become."""

    COLLECTING = "collecting"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
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
    """

    idle_seconds: float
    associations: int
    open: int = 0
    aborted: int = 0
    lost: int = 0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done with an acquisition, and why."""

    state: State
    code: str = ""
    reason: str = ""
    missing: tuple[str, ...] = ()


def decide(completeness: Completeness, arrival: Arrival, *, quiet_seconds: float, counted: bool = False) -> Decision:
    """Decide whether an acquisition is run, waited for, or given up until more images come.

    A release counts at once only where all images came on one association: some senders open one for each image,
    and their releases say little. A refusal does not wait, for no further image can lift it.

    Parameters
    ----------
    completeness
        What the images themselves say.
    arrival
        How they came.
    quiet_seconds
        How long to wait where more images may come.
    counted
        Whether the scanner declares how many images there are, and that many are there.
    """
    quiet = arrival.idle_seconds >= quiet_seconds
    if completeness.state == "complete":
        return _decide_full(arrival, quiet=quiet, counted=counted)
    refused = completeness.state == "refused"
    if not refused and not quiet:
        return Decision(state=State.COLLECTING)
    reason = completeness.reason
    return Decision(
        state=State.REFUSED if refused else State.INCOMPLETE,
        code=reason.code if reason else completeness.state,
        reason=reason.message if reason else "images are missing; send the complete series again",
        missing=completeness.missing,
    )


def _decide_full(arrival: Arrival, *, quiet: bool, counted: bool) -> Decision:
    """Decide about a grid without gaps."""
    if arrival.aborted or arrival.lost:
        if quiet and not counted:
            return _interrupted(arrival)
        ready = quiet
    elif arrival.open:
        ready = quiet
    else:
        ready = arrival.associations == 1 or arrival.idle_seconds >= SETTLE_SECONDS
    return Decision(state=State.QUEUED if ready else State.COLLECTING)


def _interrupted(arrival: Arrival) -> Decision:
    how = "aborted" if arrival.aborted else "lost"
    reason = f"the association was {how} and not resumed, so images may be missing; send the complete series again"
    return Decision(state=State.INCOMPLETE, code=INTERRUPTED, reason=reason)
