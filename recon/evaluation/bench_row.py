"""One line of a benchmark: ours and a peer's time for the same work in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class BenchRow:
    """One comparison.

    Parameters
    ----------
    group
        What kind of work: ``"engines"``.
    what
        The work, with its size.
    ours, peer
        Names of the two.
    ours_value, peer_value
        Wall-clock seconds, or images a second; the best of two or three runs after warm-up for ours.
    unit
        ``"s"`` or ``"images/s"``.
    aim
        What is aimed at, in words; empty if nothing is.
    """

    group: str
    what: str
    ours: str
    ours_value: float
    peer: str
    peer_value: float
    unit: str = "s"
    aim: str = ""

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        if self.unit == "s":
            return self.peer_value / self.ours_value
        return self.ours_value / self.peer_value


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds that work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def size_of(shape: tuple[int, ...]) -> str:
    """``"160 x 192 x 160"``."""
    return " x ".join(map(str, shape))
