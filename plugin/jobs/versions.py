"""The database of the jobs before the service uses it: whole, and of the version that this program works with."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from dbos._migration import get_migration_versions, get_sqlite_migration_versions

from plugin.config.settings import Settings
from plugin.errors import SpoolError
from plugin.files import publish
from plugin.log import get_logger

_SQLITE = "sqlite:///"


def check_job_database(settings: Settings, *, migrating: bool = False) -> None:
    """Check the version of the database of the jobs; a damaged SQLite file is set aside, so that a new one is made.

    Whoever is ``migrating`` may find an older version, and nobody a newer one.

    Raises
    ------
    SpoolError
        It is of another version.
    """
    url = settings.job_database_url
    if url.startswith(_SQLITE):
        _set_damaged_aside(Path(url.removeprefix(_SQLITE)))
    recorded, latest = _versions(url)
    if recorded > latest:
        raise SpoolError(
            f"the database of the jobs is of version {recorded}, where this program works with version {latest}; it is"
            " left as it is: run the newer program that made it, or choose a new spool or database_url"
        )
    if 0 < recorded < latest and not migrating:
        raise SpoolError(
            f"the database of the jobs is of version {recorded}, where this program works with version {latest}; back"
            " it up, then run qsm-plugin migrate"
        )


def _versions(url: str) -> tuple[int, int]:
    """Return the recorded version, 0 for a database that is still to be made, and the latest one."""
    if url.startswith(_SQLITE):
        engine = sa.create_engine(url)
        try:
            return get_sqlite_migration_versions(engine)
        finally:
            engine.dispose()
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    try:
        return get_migration_versions(engine, "dbos", use_listen_notify=True)
    except sa.exc.OperationalError:  # no such database yet, or away, which its making or its first use will say
        return 0, 0
    finally:
        engine.dispose()


def _set_damaged_aside(path: Path) -> None:
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            whole = connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # locked, or a full disk
            raise
        whole = False
    if not whole:
        aside = f"damaged-{time.strftime('%Y%m%dT%H%M%S')}-"
        for file in path.parent.glob(f"{path.name}*"):
            publish(file, path.parent / f"{aside}{file.name}")
        get_logger().error("jobs.damaged", reason=f"kept as {aside}{path.name}; the jobs are submitted again")
