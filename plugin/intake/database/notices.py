"""What senders say about images besides sending them: which there are (MPPS, IAN), and which to answer for.

The rows are part of the index: they are on the disk before the peer gets its answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Json

from plugin.intake.database.connection import Database, prepared

_CLOCKS_DIFFER_SECONDS = 10.0
"""By how much the clocks of several hosts may differ."""


@dataclass(frozen=True, kw_only=True)
class Announced:
    """Which images, by hash, were announced of the series of an acquisition, and by whom.

    ``awaited`` counts those that have not arrived, ``expected`` those of the same announcements, of any series.
    """

    images: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    awaited: int = 0
    expected: int = 0


@dataclass(frozen=True, kw_only=True)
class CommitmentRow:
    """A request for storage commitment that is to be answered; ``refs`` are SOP Class and Instance UIDs."""

    transaction_uid: str
    calling_ae: str
    address: str
    refs: Json[tuple[tuple[str, str], ...]]
    asked_at: float
    next_at: float
    attempts: int = 0
    state: str = "pending"


class Notices(Database):
    """Tables of announcements, procedure steps and commitments."""

    def add_notice(self, source: str, name: str, images: Sequence[tuple[str, str]], now: float) -> None:
        """Keep an announcement by ``"mpps"``, ``"ian"`` or ``"commitment"``; the same one again changes nothing.

        ``name`` is the hash of the UID of the step, the notification or the transaction. ``images`` are hashes of
        ``(series, image)`` UIDs; the series is empty where the sender does not say it.
        """
        statement = (
            "INSERT INTO announced (source, name, series, image, announced_at)"
            " VALUES (:source, :name, :series, :image, :now) ON CONFLICT DO NOTHING"
        )
        common = {"source": source, "name": name, "now": now}
        if images:
            with self._transaction() as connection:
                connection.execute(prepared(statement), [{**common, "series": s, "image": i} for s, i in images])

    def announced(self, series: Sequence[str], images: Sequence[str]) -> Announced:
        """Return what was announced of some series, or of images of them where the series was not said."""
        if not self._read("SELECT 1 FROM announced LIMIT 1"):  # most senders announce nothing, and this is asked often
            return Announced()
        about = (  # one of the series, or one of the images where the series was not said
            f"(announced.series IN {self._listed(':series')}"
            f" OR (announced.series = '' AND announced.image IN {self._listed(':images')}))"
        )
        mine = {"series": json.dumps(series), "images": json.dumps(images)}
        rows = self._read(
            "SELECT source, announced.image, digest IS NOT NULL AS here"
            f" FROM announced LEFT JOIN image ON image.image = announced.image WHERE {about}",
            **mine,
        )
        (missing,) = self._read(
            "SELECT COUNT(*) AS images FROM announced LEFT JOIN image ON image.image = announced.image"
            f" WHERE digest IS NULL AND (source, name) IN (SELECT source, name FROM announced WHERE {about})",
            **mine,
        )
        return Announced(
            images=frozenset(row["image"] for row in rows),
            sources=frozenset(row["source"] for row in rows),
            awaited=len({row["image"] for row in rows if not row["here"]}),
            expected=missing["images"],
        )

    # procedure steps

    def begin_step(self, step: str, now: float) -> bool:
        """Note a procedure step that is in progress; False if it was known."""
        statement = (
            "INSERT INTO step (step, state, changed_at) VALUES (:step, 'IN PROGRESS', :now) ON CONFLICT DO NOTHING"
        )
        return self._write(statement, step=step, now=now) == 1

    def step_state(self, step: str) -> str | None:
        """Return the state of a procedure step, None for one that was never begun."""
        rows = self._read("SELECT state FROM step WHERE step = :step", step=step)
        return str(rows[0]["state"]) if rows else None

    def end_step(self, step: str, state: str, now: float) -> None:
        """Note what became of a procedure step."""
        statement = "UPDATE step SET state = :state, changed_at = :now WHERE step = :step"
        self._write(statement, state=state, now=now, step=step)

    # commitments

    def add_commitment(self, row: CommitmentRow) -> None:
        """Keep a request for commitment; the same transaction again asks for its answer again."""
        self._add("commitment", row)

    def due_commitments(self, now: float, longest_seconds: float) -> list[CommitmentRow]:
        """Return the requests whose answer should be sent now.

        None waits longer than ``longest_seconds``: one that would was postponed before the clock was set back.
        """
        condition = "WHERE state = 'pending' AND (next_at <= :now OR next_at > :latest) ORDER BY asked_at"
        return self._rows(
            CommitmentRow, "commitment", condition, now=now, latest=now + longest_seconds + _CLOCKS_DIFFER_SECONDS
        )

    def postpone_commitment(self, transaction_uid: str, next_at: float) -> None:
        """Note a failed attempt to answer."""
        statement = "UPDATE commitment SET attempts = attempts + 1, next_at = :next_at WHERE transaction_uid = :uid"
        self._write(statement, next_at=next_at, uid=transaction_uid)

    def settle_commitment(self, transaction_uid: str, state: str) -> None:
        """Note that a request was answered, or given up."""
        statement = "UPDATE commitment SET state = :state WHERE transaction_uid = :uid"
        self._write(statement, state=state, uid=transaction_uid)
