"""The SQLite file behind the index: how it is opened, written and read."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plugin.intake.schema import LATER_COLUMNS, SCHEMA


class Database:
    """Open the file, and create it where there is none.

    Every write is one transaction that is on the disk when the method returns (WAL, ``synchronous=FULL``).
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA busy_timeout=30000")
        self._connection.executescript(SCHEMA)
        self._add_columns()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _add_columns(self) -> None:
        """Bring an index of an earlier version up to date."""
        for table, column, kind in LATER_COLUMNS:
            if column not in {row["name"] for row in self._read(f"PRAGMA table_info({table})")}:
                with contextlib.suppress(sqlite3.OperationalError):  # another process was faster
                    self._write(f"ALTER TABLE {table} ADD COLUMN {column} {kind}", ())

    @contextmanager
    def _cursor(self) -> Iterator[sqlite3.Cursor]:
        with self._lock:
            cursor = self._connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        with self._cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def _write(self, statement: str, values: Sequence[object]) -> int:
        with self._cursor() as cursor:
            return cursor.execute(statement, values).rowcount

    def _read(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        with self._cursor() as cursor:
            return [dict(row) for row in cursor.execute(statement, values)]
