"""How large a campaign of faults is: a few in the suite, hundreds with ``make faults``."""

import os

FULL = os.environ.get("QSM_FAULTS") == "full"


def count(few: int, many: int) -> int:
    """Return how many faults to make."""
    return many if FULL else few


def say(sentence: str) -> None:
    """Print a result of a campaign, for ``make faults`` to show."""
    print(f"\n{sentence}")
