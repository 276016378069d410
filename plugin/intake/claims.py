"""Which studies an assembler works on, where several share the index: each study has one assembler at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Set

from plugin.intake.index import Index

_LOOK_SECONDS = 30.0
"""How often an assembler looks for studies whose own one has ended; its claims ended with it."""

_RECENT_SECONDS = 3600.0
"""Images that were read but not decided about are looked for among those of the last hour, not among all there are."""


class Claims:
    """The claims of one assembler."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._settled: set[str] = set()
        self._looked_at = -math.inf

    def take(self, studies: Iterable[str]) -> list[str]:
        """Claim studies; return those that nobody else works on."""
        return [study for study in studies if self._index.claim(study)]

    def settle(self, study: str) -> None:
        """Give up a study for which nothing is to be done until more images come."""
        self._settled.add(study)
        self._index.release(study)

    def adopt(self, now: float, given_up_since: float, known: Set[str]) -> list[str]:
        """Claim studies that wait for something, or were given up lately, and that nobody works on.

        ``known`` are those that this assembler works on.
        """
        if not self._index.is_shared or time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return []
        self._looked_at = time.monotonic()
        unsettled = self._index.unsettled_studies(given_up_since, now - _RECENT_SECONDS)
        return self.take(sorted(unsettled - self._settled - known))
