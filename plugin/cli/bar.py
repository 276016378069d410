"""A bar with the time left, for work in steps whose typical durations are known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

Typical = tuple[str, float]
"""Words in the text of a step (empty: any text), and the seconds that it typically takes, or its share of the whole."""


def evenly(count: int, words: str = "") -> list[Typical]:
    """Return steps that take equally long."""
    return [(words, 1.0)] * count


@dataclass(kw_only=True)
class Bar:
    """How far some work is, and how long it will still take.

    The text of each step moves the bar to the next step whose words it holds; a text that belongs to none leaves it
    where it is, and one that belongs to an earlier step begins again. The time left follows from the pace so far.

    Parameters
    ----------
    title
        What is done.
    typical
        The steps in their order; without any, the bar has no end.
    is_timed
        Whether the seconds of the steps are those that will pass, as of work that ends after a given time.
    """

    title: str
    typical: Iterable[Typical] = ()
    is_timed: bool = False
    clock: Callable[[], float] = time.monotonic
    text: str = ""
    _steps: tuple[Typical, ...] = field(init=False)
    _at: int = field(init=False, default=-1)
    _began: float = field(init=False)
    _step_began: float = field(init=False)

    def __post_init__(self) -> None:
        self._steps = tuple(self.typical)
        self._began = self._step_began = self.clock()

    def begin(self, text: str) -> None:
        """Note that a step begins."""
        self.text, fits = text, [words in text for words, _ in self._steps]
        later = next((at for at, fit in enumerate(fits) if fit and at > self._at), None)
        earlier = next((at for at, fit in enumerate(fits[: max(0, self._at)]) if fit), None)
        if later is not None:
            self._at, self._step_began = later, self.clock()
        elif earlier is not None and not fits[self._at]:
            self._at, self._began = earlier, self.clock()
            self._step_began = self._began

    @property
    def share(self) -> float | None:
        """How much is done, from 0 to 1; None without steps."""
        whole = sum(seconds for _, seconds in self._steps)
        return min(1.0, (self._before + self._of_step) / whole) if whole else None

    @property
    def seconds_left(self) -> float | None:
        """How long it will still take; None as long as nothing is known."""
        if self._pace is None:
            return None
        whole = sum(seconds for _, seconds in self._steps)
        return max(0.0, self._pace * (whole - self._before - self._of_step))

    @property
    def _before(self) -> float:
        """Seconds that the steps before the present one typically take."""
        return sum(seconds for _, seconds in self._steps[: max(0, self._at)])

    @property
    def _of_step(self) -> float:
        """Typical seconds of the present step that lie behind it, at the pace so far; never more than it takes."""
        if self._pace is None or self._at < 0:
            return 0.0
        spent = (self.clock() - self._step_began) / self._pace if self._pace else 0.0
        return min(self._steps[self._at][1], spent)

    @property
    def _pace(self) -> float | None:
        """How many times longer than typical the steps so far took."""
        if self.is_timed:
            return 1.0
        return (self._step_began - self._began) / self._before if self._before else None

    def __rich__(self) -> Table:
        """Lay out title, step, bar, time spent and time left on one line."""
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        line.add_column(width=20)
        line.add_column(no_wrap=True)
        share, left = self.share, self.seconds_left
        bar = ProgressBar(total=None if share is None else 1.0, completed=share or 0.0, pulse=share is None)
        spent = _clock_time(self.clock() - self._began)
        line.add_row(
            Text(f"{self.title}: {self.text}" if self.text else self.title),
            bar,
            spent if left is None else f"{spent}, {_clock_time(left)} left",
        )
        return line


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
