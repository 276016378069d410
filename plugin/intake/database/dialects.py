"""What SQLite and PostgreSQL do differently: connecting, versions, damage, and a few expressions."""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from plugin.config.database import CONNECTING, SERVER_OPTIONS
from plugin.errors import DamagedIndexError, SpoolError
from plugin.intake.database.schema import MIGRATIONS, SCHEMA, VERSION

_PRAGMAS: Final = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=30000"

_NAMESPACE: Final = "qsm_index"
"""PostgreSQL schema of the tables; the durable workflow has one of its own."""


class Dialect(ABC):
    """One of the two databases."""

    begin: ClassVar[str]
    listed: ClassVar[str]
    """Subquery for the values of a JSON list."""
    now: ClassVar[str]
    """The database's clock, in seconds since the epoch."""
    try_claim: ClassVar[str] = ""
    end_claim: ClassVar[str] = ""

    def __init__(self, url: sa.URL) -> None:
        self._url = url

    @abstractmethod
    def engine(self) -> sa.Engine:
        """Return how connections are made; each statement is a transaction unless one was begun."""

    @abstractmethod
    def prepare(self, connection: sa.Connection, *, migrate: bool) -> None:
        """Check the version, and create or migrate the tables."""

    @abstractmethod
    def check(self, connection: sa.Connection) -> None:
        """Look for damage."""

    @abstractmethod
    def identity(self) -> object:
        """Return what tells this database from another one in its place."""

    @property
    @abstractmethod
    def _name(self) -> str:
        """How messages call it."""

    def _checked(self, version: int, migrate: bool) -> None:
        if version > VERSION:
            raise SpoolError(
                f"{self._name}: an index of version {version}, where this program works with version {VERSION}; it is"
                " left as it is: run the newer program that made it, or choose a new spool or database_url"
            )
        if 0 < version < VERSION and not migrate:
            raise SpoolError(
                f"{self._name}: an index of version {version}, where this program works with version {VERSION}; back"
                " it up, then run qsm-plugin migrate"
            )


class SQLite(Dialect):
    """A file on a local disk."""

    begin = "BEGIN IMMEDIATE"
    listed = "(SELECT value FROM json_each({}))"
    now = "((julianday('now') - 2440587.5) * 86400.0)"

    @property
    def _path(self) -> Path:
        return Path(str(self._url.database))

    @property
    def _name(self) -> str:
        return str(self._path)

    def engine(self) -> sa.Engine:
        """Open the file in WAL mode; what is committed is on the disk."""
        connecting = {"timeout": 30, "check_same_thread": False}
        engine = sa.create_engine(self._url, isolation_level="AUTOCOMMIT", connect_args=connecting)

        @sa.event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - of the driver
            try:
                connection.executescript(_PRAGMAS)
            except sqlite3.DatabaseError as error:
                connection.close()
                raise self._explained(error) from error

        return engine

    def prepare(self, connection: sa.Connection, *, migrate: bool) -> None:
        """Keep the version in the file's header."""
        try:
            version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
            self._checked(version, migrate)
            scripts = [SCHEMA] if version == 0 else [MIGRATIONS[step] for step in range(version, VERSION)]
            if scripts:  # the version last: a file without it is one whose making was interrupted
                self._run(connection, f"BEGIN IMMEDIATE; {''.join(scripts)}; PRAGMA user_version = {VERSION}; COMMIT")
        except (DBAPIError, sqlite3.DatabaseError) as error:
            raise self._explained(error) from error

    def _run(self, connection: sa.Connection, script: str) -> None:
        driver: Any = connection.connection.driver_connection
        driver.executescript(script)

    def check(self, connection: sa.Connection) -> None:
        """Let SQLite check the whole file."""
        try:
            whole = connection.exec_driver_sql("PRAGMA quick_check(1)").scalars().all() == ["ok"]
        except DBAPIError as error:
            raise self._explained(error) from error
        if not whole:
            raise self._damaged()

    def identity(self) -> object:
        """Return the file's inode."""
        try:
            return os.stat(self._path).st_ino
        except FileNotFoundError:
            return None

    def _explained(self, error: Exception) -> Exception:
        """Name damage; a full disk or a locked file is not that."""
        return self._damaged() if type(getattr(error, "orig", error)) is sqlite3.DatabaseError else error

    def _damaged(self) -> DamagedIndexError:
        sentence = "the index is damaged; start the service, which makes it again from the images"
        return DamagedIndexError(f"{self._path}: {sentence}")


class PostgreSQL(Dialect):
    """A server that several hosts share."""

    begin = "BEGIN"
    listed = "(SELECT json_array_elements_text(CAST({} AS json)))"
    now = "EXTRACT(EPOCH FROM clock_timestamp())"
    try_claim = "SELECT pg_try_advisory_lock(hashtextextended(:study, 0)) AS claimed"
    end_claim = "SELECT pg_advisory_unlock(hashtextextended(:study, 0)) AS released"

    _PREPARING: ClassVar[int] = 7_126_304
    """Key of the advisory lock under which tables are made, by one host at a time."""

    @property
    def _name(self) -> str:
        return f"{self._url.host}/{self._url.database}"

    def engine(self) -> sa.Engine:
        """Connect with the driver that the durable workflow uses."""
        url = self._url.set(drivername="postgresql+psycopg")
        options = f"-csearch_path={_NAMESPACE} -cstatement_timeout=30000 {SERVER_OPTIONS}"
        return sa.create_engine(url, isolation_level="AUTOCOMMIT", connect_args={**CONNECTING, "options": options})

    def prepare(self, connection: sa.Connection, *, migrate: bool) -> None:
        """Keep the version in a table; the tables are made in one transaction."""
        connection.exec_driver_sql(f"BEGIN; SELECT pg_advisory_xact_lock({self._PREPARING})")
        try:
            version = 0
            if connection.exec_driver_sql(f"SELECT to_regclass('{_NAMESPACE}.version')").scalar():
                version = int(connection.exec_driver_sql("SELECT version FROM version").scalar_one())
            self._checked(version, migrate)
            for step in range(version, VERSION) if version else ():
                connection.exec_driver_sql(MIGRATIONS[step])
            if version == 0:
                connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {_NAMESPACE}")
                connection.exec_driver_sql(SCHEMA)
                connection.exec_driver_sql(f"CREATE TABLE version AS SELECT {VERSION} AS version")
            elif version < VERSION:
                connection.exec_driver_sql(f"UPDATE version SET version = {VERSION}")
        except BaseException:
            if not connection.invalidated:
                connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")

    def check(self, connection: sa.Connection) -> None:
        """Leave that to the server."""

    def identity(self) -> object:
        """Return the same for ever: a server that is restored ends its connections first."""
        return None


def dialect_of(url: str) -> Dialect:
    """Choose by the URL of a database."""
    parsed = sa.make_url(url)
    return SQLite(parsed) if parsed.get_backend_name() == "sqlite" else PostgreSQL(parsed)
