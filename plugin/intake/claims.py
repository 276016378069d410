"""Which studies an assembler works on, where several share the index: each study has one assembler at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Set

from plugin.intake.index import Index

_LOOK_SECONDS = 10.0
"""How often an assembler looks for studies whose own one has ended; its claims ended with it."""


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

    def adopt(self, since: float, known: Set[str]) -> list[str]:
        """Claim studies that wait for something, or were given up ``since`` then, and that nobody works on.

        ``known`` are those that this assembler works on.
        """
        now = time.monotonic()
        if not self._index.is_shared or now - self._looked_at < _LOOK_SECONDS:
            return []
        self._looked_at = now
        return self.take(sorted(self._index.unsettled_studies(since) - self._settled - known))
