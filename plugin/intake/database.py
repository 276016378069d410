"""The SQLite file behind the index: how it is opened, and rows of its tables as dataclasses."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from plugin.errors import SpoolError
from plugin.intake.schema import SCHEMA, VERSION

T = TypeVar("T")


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
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=30000")
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
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _write(self, statement: str, *values: object) -> int:
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def _read(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._connection.execute(statement, values)]

    def _rows(self, kind: type[T], table: str, condition: str = "", *values: object) -> list[T]:
        """Read rows as instances of a dataclass, whose fields are columns."""
        found = self._read(f"SELECT {', '.join(_columns(kind))} FROM {table} {condition}", *values)
        return TypeAdapter(list[kind]).validate_python(found)  # type: ignore[valid-type]  # known when it runs

    def _add(self, table: str, *rows: object, replacing: tuple[str, Sequence[object]] | None = None) -> None:
        """Add dataclass instances or replace those of the same key; first delete what a condition says."""
        with self._transaction() as connection:
            if replacing:
                connection.execute(f"DELETE FROM {table} WHERE {replacing[0]}", replacing[1])
            for row in rows:
                names = _columns(type(row))
                statement = (
                    f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
                )
                connection.execute(statement, [_stored(getattr(row, name)) for name in names])


def _columns(kind: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _stored(value: object) -> object:
    """Keep a tuple or a set as JSON; fields of a ``Json`` type come back as they were."""
    return json.dumps(value, default=sorted) if isinstance(value, (tuple, frozenset)) else value
