"""A PostgreSQL server of the test session, with a database for each test that asks for one."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.support.loopback import LOOPBACK, free_port

_OPTIONS = "-c fsync=off -c full_page_writes=off -c max_connections=60 -c shared_buffers=32MB"
_NUMBERS = itertools.count(1)


def _binaries() -> Path | None:
    """Find the server's programs: Debian does not put them on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


class Server:
    """A cluster in a temporary folder; the server refuses to run as root, so another user runs it then."""

    def __init__(self, folder: Path, binaries: Path, user: str | None, address: str) -> None:
        self.folder = folder
        self.address = address
        self.port = free_port()
        self._binaries = binaries
        self._user = user
        self._run("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "qsm", "--no-sync", "-E", "UTF8")
        with (folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, user=self._user, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=120)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"{_OPTIONS} -p {self.port} -c listen_addresses={self.address} -k {self.folder}"
        self._run(
            "pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log")
        )

    def stop(self, how: str = "immediate") -> None:
        """Stop the server as a crash would."""
        self._run("pg_ctl", "stop", "-D", str(self.folder / "data"), "-m", how)

    def dump(self, url: str) -> bytes:
        """Return a database as SQL."""
        command = [str(self._binaries / "pg_dump"), url]
        return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout

    def url(self, database: str) -> str:
        return f"postgresql://qsm@{self.address}:{self.port}/{database}"

    def new_database(self) -> str:
        """Create a database and return its URL."""
        name = f"test_{next(_NUMBERS)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


@contextmanager
def running_server(address: str = LOOPBACK) -> Iterator[Server]:
    """Run a server; skip the test where there is none."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (Debian package postgresql)")
    user = _other_user() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="qsm-postgres-", dir="/tmp"))
    try:
        if user:
            shutil.chown(folder, user)
        server = Server(folder, binaries, user, address)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end_left_servers(address: str) -> None:
    """End the servers that a killed run has left on an address, and remove their folders."""
    for file in Path("/tmp").glob("qsm-postgres-*/data/postmaster.pid"):
        pid, *_, listens_on = file.read_text().splitlines()[:6]
        if listens_on == address:
            if Path(f"/proc/{pid}/comm").exists() and Path(f"/proc/{pid}/comm").read_text() == "postgres\n":
                os.kill(int(pid), signal.SIGQUIT)
            shutil.rmtree(file.parents[1], ignore_errors=True)


def _other_user() -> str:
    names = [entry.pw_name for entry in pwd.getpwall()]
    return "postgres" if "postgres" in names else "nobody"
