"""When an acquisition is complete: the decision alone, without clock, files or database.

In short: a full grid on one released association starts at once; a full grid otherwise waits 2 s for more;
an incomplete one waits until nothing came for ``quiet_seconds``, and is then reported, kept, and never run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dicom_io.acquisition import Completeness

SETTLE_SECONDS = 2.0
"""How long a full grid waits while more may come: another echo, on this association or the next."""


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
    released
        Whether all of those ended by a normal release.
    """

    idle_seconds: float
    associations: int
    released: bool


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done with an acquisition, and why."""

    state: State
    code: str = ""
    reason: str = ""
    missing: tuple[str, ...] = ()


def decide(completeness: Completeness, arrival: Arrival, *, quiet_seconds: float) -> Decision:
    """Decide whether an acquisition is run, waited for, or given up until more images come.

    A release counts only where all images came on one association: some senders open one for each image,
    and their releases say nothing. A refusal does not wait, for no further image can lift it.
    """
    if completeness.state == "complete":
        settled = arrival.released and arrival.associations == 1
        ready = settled or arrival.idle_seconds >= SETTLE_SECONDS
        return Decision(state=State.QUEUED if ready else State.COLLECTING)
    refused = completeness.state == "refused"
    if not refused and arrival.idle_seconds < quiet_seconds:
        return Decision(state=State.COLLECTING)
    reason = completeness.reason
    return Decision(
        state=State.REFUSED if refused else State.INCOMPLETE,
        code=reason.code if reason else completeness.state,
        reason=reason.message if reason else "images are missing; send the complete series again",
        missing=completeness.missing,
    )
