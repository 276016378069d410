"""Who sent what to which receiver, and which receivers and workers live."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from plugin.config.settings import ONLY_HOST
from plugin.intake.database.heartbeats import Heartbeats


@dataclass(frozen=True, kw_only=True)
class AssociationRow:
    """Who sent images to which receiver, and whether it may still send more."""

    association: str
    calling_ae: str
    address: str
    opened_at: float
    ended_at: float | None = None
    ended_how: str | None = None
    owner: str = ONLY_HOST


class Associations(Heartbeats):
    """The table of associations."""

    def open_association(
        self, association: str, calling_ae: str, address: str, now: float, owner: str = ONLY_HOST
    ) -> None:
        """Note that a peer may send images to a receiver from now on."""
        row = AssociationRow(
            association=association, calling_ae=calling_ae, address=address, opened_at=now, owner=owner
        )
        self._add("association", row)

    def end_association(self, association: str, how: str, now: float) -> None:
        """Note that no more images come on an association; "lost" yields to a better reason."""
        self._write(
            "UPDATE association SET ended_at = :now, ended_how = :how"
            " WHERE association = :association AND (ended_at IS NULL OR ended_how = 'lost')",
            **{"now": now, "how": how, "association": association},
        )

    def lose_associations(self, now: float, owner: str = ONLY_HOST) -> int:
        """End the associations that were open when a receiver died."""
        statement = (
            "UPDATE association SET ended_at = :now, ended_how = 'lost' WHERE ended_at IS NULL AND owner = :owner"
        )
        return self._write(statement, now=now, owner=owner)

    def recover_association(self, association: str, now: float) -> None:
        """Note that the end of an association is unknown because the index was older than its images."""
        statement = "UPDATE association SET ended_at = :now, ended_how = 'recovered' WHERE association = :association"
        self._write(statement, now=now, association=association)

    def associations(self, names: Sequence[str]) -> dict[str, AssociationRow]:
        """Return associations by name."""
        condition = f"WHERE association IN {self._listed(':names')}"
        rows = self._rows(AssociationRow, "association", condition, names=json.dumps(names))
        return {row.association: row for row in rows}

    def lose_associations_of_dead(self, now: float) -> int:
        """End the associations of receivers that are dead; one that was only cut off corrects that when it is back."""
        lost = 0
        for owner in self.dead("receiver"):
            lost += self.lose_associations(now, owner)
            self.expire(owner, "receiver")
        return lost
