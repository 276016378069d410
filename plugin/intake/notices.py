"""What senders say about images besides sending them: which there are (MPPS, IAN), and which to answer for.

The rows are part of the index, and so durable before a peer hears of success.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plugin.intake.database import Database


@dataclass(frozen=True, kw_only=True)
class Announced:
    """What was announced of the series of an acquisition.

    Parameters
    ----------
    images
        Announced images, by hash.
    sources
        Who announced them.
    awaited
        How many of them have not arrived.
    expected
        How many images of the same announcements, of any series, have not arrived.
    """

    images: frozenset[str]
    sources: frozenset[str]
    awaited: int
    expected: int


@dataclass(frozen=True, kw_only=True)
class CommitmentRow:
    """A request for storage commitment that is to be answered."""

    transaction_uid: str
    calling_ae: str
    address: str
    references: tuple[tuple[str, str], ...]
    attempts: int
    asked_at: float


class Notices(Database):
    """Tables of announcements, procedure steps and commitments."""

    def add_notice(self, source: str, name: str, images: Sequence[tuple[str, str]], now: float) -> None:
        """Keep an announcement of images; the same one again changes nothing.

        Parameters
        ----------
        source
            ``"mpps"``, ``"ian"`` or ``"commitment"``.
        name
            Hash of the UID of the step, the notification or the transaction.
        images
            Hashes of ``(series, image)`` UIDs; the series is empty where the sender does not say it.
        """
        statement = "INSERT OR IGNORE INTO announced (source, name, series, image, announced_at) VALUES (?, ?, ?, ?, ?)"
        with self._transaction() as cursor:
            cursor.executemany(statement, [(source, name, series, image, now) for series, image in images])

    def announced(self, series: Sequence[str], images: Sequence[str]) -> Announced:
        """Return what was announced of some series, or of images of them where the series was not said."""
        rows = self._about(series, images) if self._read("SELECT 1 FROM announced LIMIT 1") else []
        names = {(row["source"], row["name"]) for row in rows}
        return Announced(
            images=frozenset(row["image"] for row in rows),
            sources=frozenset(row["source"] for row in rows),
            awaited=len({row["image"] for row in rows if not row["here"]}),
            expected=sum(self._count_expected(*name) for name in names),
        )

    def _about(self, series: Sequence[str], images: Sequence[str]) -> list[dict[str, Any]]:
        mine = json.dumps(list(series)), json.dumps(list(images))
        return self._read(
            "SELECT announced.source, announced.name, announced.image, image.image IS NOT NULL AS here FROM announced"
            " LEFT JOIN image ON image.image = announced.image"
            " WHERE announced.series IN (SELECT value FROM json_each(?))"
            " OR (announced.series = '' AND announced.image IN (SELECT value FROM json_each(?)))",
            mine,
        )

    def _count_expected(self, source: str, name: str) -> int:
        rows = self._read(
            "SELECT COUNT(*) AS expected FROM announced LEFT JOIN image ON image.image = announced.image"
            " WHERE announced.source = ? AND announced.name = ? AND image.image IS NULL",
            (source, name),
        )
        return int(rows[0]["expected"])

    # procedure steps

    def begin_step(self, step: str, now: float) -> bool:
        """Note a procedure step that is in progress; False if it was known."""
        statement = "INSERT OR IGNORE INTO step (step, state, changed_at) VALUES (?, 'IN PROGRESS', ?)"
        return self._write(statement, (step, now)) == 1

    def step_state(self, step: str) -> str | None:
        """Return the state of a procedure step, None for one that nobody began."""
        rows = self._read("SELECT state FROM step WHERE step = ?", (step,))
        return str(rows[0]["state"]) if rows else None

    def end_step(self, step: str, state: str, now: float) -> None:
        """Note what became of a procedure step."""
        self._write("UPDATE step SET state = ?, changed_at = ? WHERE step = ?", (state, now, step))

    # commitments

    def add_commitment(self, row: CommitmentRow) -> None:
        """Keep a request for commitment; the same transaction again asks for its answer again."""
        self._write(
            "INSERT INTO commitment (transaction_uid, calling_ae, address, refs, asked_at, next_at)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (transaction_uid) DO UPDATE SET calling_ae = excluded.calling_ae,"
            " address = excluded.address, refs = excluded.refs, state = 'pending', attempts = 0,"
            " asked_at = excluded.asked_at, next_at = excluded.next_at",
            (row.transaction_uid, row.calling_ae, row.address, json.dumps(row.references), row.asked_at, row.asked_at),
        )

    def due_commitments(self, now: float) -> list[CommitmentRow]:
        """Return the requests whose answer should be sent now."""
        rows = self._read(
            "SELECT transaction_uid, calling_ae, address, refs, attempts, asked_at FROM commitment"
            " WHERE state = 'pending' AND next_at <= ? ORDER BY asked_at",
            (now,),
        )
        return [CommitmentRow(references=tuple((a, b) for a, b in json.loads(row.pop("refs"))), **row) for row in rows]

    def postpone_commitment(self, transaction_uid: str, next_at: float) -> None:
        """Note a failed attempt to answer."""
        statement = "UPDATE commitment SET attempts = attempts + 1, next_at = ? WHERE transaction_uid = ?"
        self._write(statement, (next_at, transaction_uid))

    def settle_commitment(self, transaction_uid: str, state: str) -> None:
        """Note that a request was answered, or given up."""
        self._write("UPDATE commitment SET state = ? WHERE transaction_uid = ?", (state, transaction_uid))
