"""How long a delivery has been tried, counted on a clock of its own: one that is set wrong neither ends nor holds it.

A system's clock jumps by hours when it is corrected, and when its host was suspended. So within a run of the service
the monotonic clock counts. Between two runs, or two hosts, a delivery ages by the pause that it was to make, at most.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from secrets import token_hex

_RUN = token_hex(8)
"""Of this run of the service, and of the processes that are forked in it: their monotonic clock is the same."""


@dataclass(frozen=True, kw_only=True)
class Age:
    """Age of a delivery when an attempt was queued, and by which clocks to count on from there.

    Parameters
    ----------
    seconds
        The age.
    pause_seconds
        How long the attempt was to wait.
    run, monotonic_seconds
        The run of the service that queued it, and its monotonic clock.
    queued_at
        The system's clock, in seconds since the epoch.
    """

    seconds: float = 0.0
    pause_seconds: float = 0.0
    run: str = field(default_factory=lambda: _RUN)
    monotonic_seconds: float = field(default_factory=time.monotonic)
    queued_at: float = field(default_factory=time.time)

    def seconds_now(self) -> float:
        """Return the age now."""
        if self.run == _RUN:
            return self.seconds + time.monotonic() - self.monotonic_seconds
        return self.seconds + min(max(0.0, time.time() - self.queued_at), self.pause_seconds)
