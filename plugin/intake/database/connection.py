"""The database behind the index: how it is opened, and rows of its tables as dataclasses.

One host has an SQLite file; several share a PostgreSQL database. The statements are the same: named parameters, and the
few expressions that differ (a list of values, the clock) as ``Dialect`` says.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from plugin.intake.database.dialects import Dialect, dialect_of
from plugin.intake.database.schema import KEYS
from plugin.log import describe, get_logger

T = TypeVar("T")
R = TypeVar("R")


class Database:
    """Open the database, and create its tables where there are none.

    Every write is one transaction that is on the disk when the method returns. A connection that broke is opened again
    by the next statement.

    ``migrate`` brings tables of an older version up to date; without it they are refused. So are newer ones.

    Raises
    ------
    DamagedIndexError
        The SQLite file is not a database, or not a whole one.
    SpoolError
        The tables are of another version.
    sqlalchemy.exc.SQLAlchemyError
        PostgreSQL cannot be reached.
    """

    def __init__(self, url: str, *, migrate: bool = False) -> None:
        self._dialect: Dialect = dialect_of(url)
        self._lock = threading.RLock()
        self._reported: set[str] = set()
        self._claims: set[str] = set()
        self._connection: sa.Connection | None = None
        self._engine = self._dialect.engine()
        try:
            with self._connected() as connection:
                self._dialect.prepare(connection, migrate=migrate)
        except BaseException:
            Database.close(self)
            raise
        self._identity = self._dialect.identity()

    def check(self) -> None:
        """Look for damage in the whole file.

        Raises
        ------
        DamagedIndexError
            There is some.
        """
        with self._connected() as connection:
            self._dialect.check(connection)

    def changes(self) -> object:
        """Return what changes with each write of another process; None for PostgreSQL, which does not say."""
        return None if self.is_shared else self._read("PRAGMA data_version")

    def is_replaced(self) -> bool:
        """Say whether the file is no longer the one that was opened: deleted, or restored from a backup."""
        try:
            return self._dialect.identity() != self._identity
        except OSError:  # not for this method to report
            return False

    @property
    def is_shared(self) -> bool:
        """Whether processes of other hosts may use it."""
        return bool(self._dialect.try_claim)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._drop()
            self._engine.dispose()

    def claim(self, study: str) -> bool:
        """Say whether this process is the one that works on a study: the first that asks, until it ends or releases it.

        A connection that breaks loses all claims.
        """
        with self._lock:
            if study in self._claims:
                return True
            if (statement := self._dialect.try_claim) and not self._read(statement, study=study)[0]["claimed"]:
                return False
            self._claims.add(study)
            return True

    def release(self, study: str) -> None:
        """Let another process work on a study."""
        with self._lock:
            if study in self._claims:
                self._claims.discard(study)
                if self._dialect.try_claim:
                    self._read(self._dialect.end_claim, study=study)

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        """Give the connection to one thread at a time."""
        with self._lock:
            if self._connection is None:
                self._connection = self._engine.connect()
            try:
                yield self._connection
            except DBAPIError as error:
                if error.connection_invalidated:
                    self._drop()
                raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._claims.clear()
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    def _execute(self, use: Callable[[sa.Connection], R]) -> R:
        """Run a statement; once more if the connection broke while nobody used it."""
        with self._lock:
            used_before = self._connection is not None
            try:
                with self._connected() as connection:
                    return use(connection)
            except DBAPIError as error:
                if not (used_before and error.connection_invalidated):
                    raise
            with self._connected() as connection:
                return use(connection)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with self._lock:
            self._execute(lambda connection: connection.exec_driver_sql(self._dialect.begin))
            with self._connected() as connection:
                try:
                    yield connection
                except BaseException:
                    with suppress(SQLAlchemyError):
                        connection.exec_driver_sql("ROLLBACK")
                    raise
                connection.exec_driver_sql("COMMIT")

    def _write(self, statement: str, **values: object) -> int:
        return self._execute(lambda connection: connection.execute(prepared(statement), values).rowcount)

    def _read(self, statement: str, **values: object) -> list[dict[str, Any]]:
        rows = self._execute(lambda connection: connection.execute(prepared(statement), values).mappings().all())
        return [dict(row) for row in rows]

    def _listed(self, values: str) -> str:
        """Return the subquery for the values of a JSON list, which is a column or a parameter such as ``:names``."""
        return self._dialect.listed.format(values)

    def _rows(self, kind: type[T], table: str, condition: str = "", **values: object) -> list[T]:
        """Read rows as instances of a dataclass, whose fields are columns; a row that cannot be one is left out."""
        found = self._read(f"SELECT {', '.join(_columns(kind))} FROM {table} {condition}", **values)
        adapter: TypeAdapter[list[T]] = _adapter(kind)  # type: ignore[arg-type]  # a class is hashable
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

    def _add(self, table: str, *rows: object) -> None:
        """Add dataclass instances, or replace those of the same key."""
        if len(rows) == 1:
            self._write(_insertion(table, type(rows[0])), **_values(rows[0]))
        elif rows:
            with self._transaction() as connection:
                connection.execute(prepared(_insertion(table, type(rows[0]))), [_values(row) for row in rows])

    def _replace(self, table: str, condition: str, values: Mapping[str, object], rows: Sequence[object]) -> None:
        """Delete what a condition says, and add dataclass instances."""
        with self._transaction() as connection:
            connection.execute(prepared(f"DELETE FROM {table} WHERE {condition}"), values)
            for row in rows:
                connection.execute(prepared(_insertion(table, type(row))), _values(row))


@lru_cache(maxsize=256)
def prepared(statement: str) -> sa.TextClause:
    """Return a statement as SQLAlchemy runs it, with named parameters such as ``:image``."""
    return sa.text(statement)


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[list[Any]]:
    """Return what makes rows instances of a dataclass; making it takes as long as many queries."""
    return TypeAdapter(list[kind])  # type: ignore[valid-type]  # known when it runs


def _insertion(table: str, kind: type[Any]) -> str:
    names = _columns(kind)
    changed = [name for name in names if name not in KEYS[table]]
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
        f" ON CONFLICT ({', '.join(KEYS[table])}) DO UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in changed)}"
    )


def _columns(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _values(row: object) -> dict[str, object]:
    return {name: _stored(getattr(row, name)) for name in _columns(type(row))}


def _stored(value: object) -> object:
    """Keep a tuple or a set as JSON; fields of a ``Json`` type come back as they were. PostgreSQL takes no NUL."""
    if isinstance(value, str):
        return value.replace("\0", "")
    return json.dumps(value, default=sorted) if isinstance(value, (tuple, frozenset)) else value
