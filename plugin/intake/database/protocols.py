"""How the protocols of acquisitions were judged: once, when it was decided what becomes of their images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Json

from plugin.intake.database.connection import Database


@dataclass(frozen=True, kw_only=True)
class ProtocolRow:
    """Name, level and what was found, of each recommendation (``dicom_io.protocol``) that applies to an acquisition.

    ``judged`` is empty for images that are not a gradient echo.
    """

    acquisition: str
    study: str
    vendor: str
    judged: Json[tuple[tuple[str, str, str], ...]]


class Protocols(Database):
    """The table of protocols."""

    def save_protocol(self, row: ProtocolRow) -> None:
        """Note how a protocol was judged; the last judgement counts."""
        self._add("protocol", row)

    def latest_protocols(self, limit: int) -> list[str]:
        """Return the names of the acquisitions with a gradient echo's protocol that changed last, the latest first."""
        statement = (
            "SELECT acquisition.acquisition AS name FROM acquisition"
            " JOIN protocol ON protocol.acquisition = acquisition.acquisition"
            " WHERE judged != '[]' ORDER BY changed_at DESC, acquisition.acquisition LIMIT :limit"
        )
        return [str(row["name"]) for row in self._read(statement, limit=limit)]

    def protocols(self, acquisitions: Sequence[str]) -> Mapping[str, ProtocolRow]:
        """Return how the protocols of acquisitions were judged, by name; a version before this table judged none."""
        condition = f"WHERE acquisition IN {self._listed(':names')}"
        rows = self._rows(ProtocolRow, "protocol", condition, names=json.dumps(acquisitions))
        return {row.acquisition: row for row in rows}
