"""A campaign of faults: a few in the suite, hundreds with ``make faults``; how far it is, and what it found."""

import os
import time
from collections.abc import Callable, Iterator

FULL = os.environ.get("QSM_FAULTS") == "full"

said: list[str] = []
"""Results of the campaign that runs: ``tests/faults/conftest.py`` takes them from here into the summary."""

_PROGRESS_SECONDS = 20.0

_show: list[Callable[[str], None]] = []


def show_progress_with(show: Callable[[str], None]) -> None:
    """Show from now on how far a campaign is."""
    _show[:] = [show]


def count(few: int, many: int) -> int:
    """Return how many faults to make."""
    return many if FULL else few


def counted(total: int, what: str) -> Iterator[int]:
    """Count from 0, and say now and then how far it is."""
    began = shown = time.monotonic()
    for number in range(total):
        yield number
        now = time.monotonic()
        if FULL and _show and now - shown > _PROGRESS_SECONDS:
            shown = now
            left_minutes = (now - began) / (number + 1) * (total - number - 1) / 60
            _show[0](f"  {number + 1} of {total} {what}, some {left_minutes:.0f} min to go")


def say(sentence: str) -> None:
    """State a result of a campaign, for the summary of ``make faults``."""
    said.append(sentence)
