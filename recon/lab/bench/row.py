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
    ours_cpu_s, peer_cpu_s
        Processor seconds over all threads, where both ran in this process: what a busy machine disturbs least.
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
    ours_cpu_s: float | None = None
    peer_cpu_s: float | None = None
    unit: str = "s"
    aim: str = ""

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        if self.unit == "s":
            return self.peer_value / self.ours_value
        return self.ours_value / self.peer_value

    @property
    def cpu_ratio(self) -> float | None:
        """How many times less processor time ours takes."""
        if self.ours_cpu_s is None or self.peer_cpu_s is None:
            return None
        return self.peer_cpu_s / self.ours_cpu_s


@dataclass(frozen=True, kw_only=True, order=True)
class Seconds:
    """How long work took: by the clock, and of all processors together."""

    wall: float
    cpu: float


def best_of(runs: int, work: Callable[[], object]) -> Seconds:
    """Time work several times and return the shortest."""
    times = []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times.append(Seconds(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu))
    return min(times)


def row(group: str, what: str, ours: str, taken: Seconds, peer: str, taken_by_peer: Seconds, aim: str = "") -> BenchRow:
    """Set two times beside each other."""
    return BenchRow(
        group=group,
        what=what,
        ours=ours,
        ours_value=taken.wall,
        ours_cpu_s=taken.cpu,
        peer=peer,
        peer_value=taken_by_peer.wall,
        peer_cpu_s=taken_by_peer.cpu,
        aim=aim,
    )


def size_of(shape: tuple[int, ...]) -> str:
    """``"160 x 192 x 160"``."""
    return " x ".join(map(str, shape))
