"""The SQLite file behind the index: how it is opened, and rows of its tables as dataclasses."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from plugin.errors import DamagedIndexError, SpoolError
from plugin.intake.schema import MIGRATIONS, SCHEMA, VERSION
from plugin.log import describe, get_logger

T = TypeVar("T")


class Database:
    """Open the file, and create it where there is none.

    Every write is one transaction that is on the disk when the method returns (WAL, ``synchronous=FULL``).

    ``migrate`` brings a file of an older version up to date; without it such a file is refused. So is a newer one.

    Raises
    ------
    DamagedIndexError
        The file is not a database, or not a whole one.
    SpoolError
        The file is of another version.
    """

    def __init__(self, path: Path, *, migrate: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._reported: set[str] = set()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare(migrate)
        except BaseException as error:
            self._connection.close()
            if is_damage(error):
                raise _damaged(path) from error
            raise
        self._inode = os.stat(path).st_ino

    def _prepare(self, migrate: bool) -> None:
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=30000")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise SpoolError(
                f"{self._path}: an index of version {version}, where this program works with version {VERSION}; it is"
                " left as it is: run the newer program that made it, or choose a new spool"
            )
        if version == 0:
            self._connection.executescript(SCHEMA)
            return
        if version < VERSION and not migrate:
            raise SpoolError(
                f"{self._path}: an index of version {version}, where this program works with version {VERSION}; back"
                " the file up, then run qsm-plugin migrate"
            )
        for step in range(version, VERSION):
            self._connection.executescript(f"BEGIN; {MIGRATIONS[step]}; PRAGMA user_version = {step + 1}; COMMIT")

    def check(self) -> None:
        """Look for damage in the whole file.

        Raises
        ------
        DamagedIndexError
            There is some.
        """
        try:
            whole = self._read("PRAGMA quick_check(1)") == [{"quick_check": "ok"}]
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            whole = False
        if not whole:
            raise _damaged(self._path)

    def is_replaced(self) -> bool:
        """Say whether the file is no longer the one that was opened: deleted, or restored from a backup."""
        try:
            return os.stat(self._path).st_ino != self._inode
        except FileNotFoundError:
            return True
        except OSError:  # not for this method to report
            return False

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
        """Read rows as instances of a dataclass, whose fields are columns; a row that cannot be one is left out."""
        found = self._read(f"SELECT {', '.join(_columns(kind))} FROM {table} {condition}", *values)
        adapter = TypeAdapter(list[kind])  # type: ignore[valid-type]  # known when it runs
        try:
            return adapter.validate_python(found)
        except ValidationError:
            return [row for one in found for row in self._valid(adapter, table, one)]

    def _valid(self, adapter: TypeAdapter[list[T]], table: str, row: dict[str, Any]) -> list[T]:
        try:
            return adapter.validate_python([row])
        except ValidationError as error:
            key = f"{table} {next(iter(row.values()))}"
            if key not in self._reported:  # they are read again and again
                self._reported.add(key)
                get_logger().error("index.row_unreadable", reason=f"a row of the table {table}", **describe(error))
            return []

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


def is_damage(error: BaseException) -> bool:
    """Say whether SQLite found the file itself to be damaged; a full disk or a locked file is not that."""
    return type(error) is sqlite3.DatabaseError


def _damaged(path: Path) -> DamagedIndexError:
    return DamagedIndexError(f"{path}: the index is damaged; start the service, which makes it again from the images")


def _columns(kind: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _stored(value: object) -> object:
    """Keep a tuple or a set as JSON; fields of a ``Json`` type come back as they were."""
    return json.dumps(value, default=sorted) if isinstance(value, (tuple, frozenset)) else value
