"""The SQLite file behind the index: how it is opened, written and read."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plugin.errors import SpoolError
from plugin.intake.schema import SCHEMA, VERSION


class Database:
    """Open the file, and create it where there is none.

    Every write is one transaction that is on the disk when the method returns (WAL, ``synchronous=FULL``).

    Raises
    ------
    SpoolError
        The file is of another version.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA busy_timeout=30000")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            self._connection.close()
            raise SpoolError(
                f"{path}: an index of version {version}, where this program works with version {VERSION}; choose a new"
                " spool, or run the program that made this one"
            )
        if version == 0:
            self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

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

    def _write(self, statement: str, values: Sequence[object] | Mapping[str, object]) -> int:
        with self._cursor() as cursor:
            return cursor.execute(statement, values).rowcount

    def _read(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        with self._cursor() as cursor:
            return [dict(row) for row in cursor.execute(statement, values)]


def columns(row: type[Any]) -> str:
    """List the columns of a row: the fields of its class."""
    return ", ".join(field.name for field in dataclasses.fields(row))


def insertion(table: str, row: type[Any]) -> str:
    """Write the statement that adds or replaces a row; its values are the fields of the row's class, by name."""
    values = ", ".join(f":{field.name}" for field in dataclasses.fields(row))
    return f"INSERT OR REPLACE INTO {table} ({columns(row)}) VALUES ({values})"
