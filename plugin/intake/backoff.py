"""When what failed is tried again: later and later, but within minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from plugin.config.service_settings import Retry

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


def pause_after(retry: Retry, failures: int) -> tuple[float, float]:
    """Return the pause after one more failure, and the sum of those before it.

    For what outlives the process: its pauses are counted, as the system's clock may jump.
    """
    pauses = [min(retry.longest_seconds, retry.first_seconds * 2.0 ** min(n, 20)) for n in range(failures + 1)]
    return pauses[-1], sum(pauses[:-1])
