"""What the console asks of the index: pages of acquisitions, where their images are, and when those came."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plugin.intake.database.connection import Database

NAME_LENGTH = 16
"""How much of an acquisition's name stands in the names of its jobs, and in what people see."""

_SEARCHED = ("acquisition", "state", "code", "reason", "job")
_OF_IT = "image.study = acquisition.study AND (acquisition.series = '[]' OR image.series IN {listed})"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which acquisitions are wanted.

    Parameters
    ----------
    states
        In one of these states; all if empty.
    names, without
        Of one of these names; of none of the others. As long as ``NAME_LENGTH``.
    words, uid
        ``words`` are in its name, state, code, reason or job, or ``uid`` is the hash of the UID of its study or of one
        of its series.
    """

    states: Collection[str] = ()
    names: Collection[str] | None = None
    without: Collection[str] = ()
    words: str = ""
    uid: str = ""


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """An image of an acquisition, who sent it, and when the first and the last of the acquisition came."""

    image: str
    series: str
    study: str
    calling_ae: str
    address: str
    first_at: float
    last_at: float


class Overview(Database):
    """Pages of acquisitions."""

    def acquisition_names(self, wanted: Wanted, *, limit: int, offset: int) -> list[str]:
        """Return the names of a page of acquisitions, those that changed last first."""
        condition, values = self._condition(wanted)
        order = "ORDER BY changed_at DESC, acquisition LIMIT :limit OFFSET :offset"
        statement = f"SELECT acquisition FROM acquisition WHERE {condition} {order}"
        return [str(row["acquisition"]) for row in self._read(statement, **values, limit=limit, offset=offset)]

    def count_acquisitions(self, wanted: Wanted) -> int:
        """Count acquisitions."""
        condition, values = self._condition(wanted)
        (row,) = self._read(f"SELECT COUNT(*) AS found FROM acquisition WHERE {condition}", **values)
        return int(row["found"])

    def arrived(self, acquisitions: Sequence[str]) -> Mapping[str, Arrived]:
        """Return how the images of acquisitions came; of one whose images are gone, nothing."""
        of_it = _OF_IT.format(listed=self._listed("acquisition.series"))
        rows = self._read(
            "SELECT acquisition.acquisition, MIN(image.image) AS image, MIN(image.received_at) AS first_at,"
            f" MAX(image.received_at) AS last_at FROM acquisition JOIN image ON {of_it}"
            f" WHERE acquisition.acquisition IN {self._listed(':names')} GROUP BY acquisition.acquisition",
            names=json.dumps(acquisitions),
        )
        places = self._read(
            "SELECT image, series, study, COALESCE(calling_ae, '') AS calling_ae, COALESCE(address, '') AS address"
            " FROM image LEFT JOIN association ON association.association = image.association"
            f" WHERE image IN {self._listed(':images')}",
            images=json.dumps([row["image"] for row in rows]),
        )
        by_image = {place["image"]: place for place in places}
        times = {row["acquisition"]: {"first_at": row["first_at"], "last_at": row["last_at"]} for row in rows}
        return {row["acquisition"]: Arrived(**by_image[row["image"]], **times[row["acquisition"]]) for row in rows}

    def skipped_in(self, study: str) -> list[dict[str, Any]]:
        """Return why images of a study were skipped, as ``code``, ``reason`` and number of ``images``."""
        return self._read(
            "SELECT code, reason, COUNT(*) AS images FROM image WHERE study = :study AND code IS NOT NULL"
            " GROUP BY code, reason ORDER BY images DESC",
            study=study,
        )

    def _condition(self, wanted: Wanted) -> tuple[str, dict[str, object]]:
        """Return what stands after WHERE, and its values."""
        name = f"substr(acquisition, 1, {NAME_LENGTH})"
        parts, values = ["1 = 1"], dict[str, object]()
        for column, chosen, negated in (
            ("state", wanted.states or None, ""),
            (name, wanted.names, ""),
            (name, wanted.without or None, "NOT "),
        ):
            if chosen is not None:
                key = f"listed{len(values)}"
                parts.append(f"{column} {negated}IN {self._listed(':' + key)}")
                values[key] = json.dumps(sorted(chosen))
        if wanted.words:
            fields = " OR ".join(f"LOWER({one}) LIKE :words" for one in _SEARCHED)
            parts.append(f"({fields} OR study = :uid OR series LIKE :series)")
            values |= {"words": f"%{wanted.words.lower()}%", "uid": wanted.uid, "series": f'%"{wanted.uid}"%'}
        return " AND ".join(parts), values
