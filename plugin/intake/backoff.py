"""When what failed is tried again: later and later, but within minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_FIRST_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 300.0


@dataclass(kw_only=True)
class Backoff:
    """What failed, by name: how often, and since when."""

    failures: dict[str, tuple[int, float]] = field(default_factory=dict)

    def fail(self, name: str, now: float) -> float:
        """Count a failure; return the pause in seconds before the next attempt."""
        count = self.failures.get(name, (0, now))[0] + 1
        self.failures[name] = (count, now)
        return _pause(count)

    def holds(self, name: str, now: float) -> bool:
        """Say whether it is too early for the next attempt; a clock that was set back does not make it so."""
        if name not in self.failures:
            return False
        count, since = self.failures[name]
        return 0 <= now - since < _pause(count)

    def forget(self, name: str) -> None:
        """Note a success."""
        self.failures.pop(name, None)


def _pause(failures: int) -> float:
    return float(min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** min(failures - 1, 20)))
