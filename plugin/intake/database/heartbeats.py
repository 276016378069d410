"""Which processes share the database, and which of them are dead: they say that they live, by the database's clock.

Each has a lease with a number, its epoch. Whoever takes over what a silent process did counts the epoch up first: the
process can then no longer renew its lease, and what it checks its lease for it no longer does.
"""

from __future__ import annotations

from plugin.intake.database.connection import Database

BEAT_SECONDS = 10.0
"""How often a process renews its lease."""

DEAD_SECONDS = 60.0
"""How long a process may say nothing before others take over what it did."""

_MINE = "role = :role AND name = :name"


class Heartbeats(Database):
    """The table of heartbeats."""

    def register(self, name: str, role: str, host: str) -> int:
        """Begin a lease, and return its epoch."""
        now = self._dialect.now
        self._write(
            f"INSERT INTO heartbeat (name, role, host, beat_at, epoch) VALUES (:name, :role, :host, {now}, 1)"
            " ON CONFLICT (role, name) DO UPDATE"
            " SET beat_at = excluded.beat_at, host = excluded.host, epoch = heartbeat.epoch + 1",
            **{"name": name, "role": role, "host": host},
        )
        (row,) = self._read(f"SELECT epoch FROM heartbeat WHERE {_MINE}", name=name, role=role)
        return int(row["epoch"])

    def renew(self, name: str, role: str, epoch: int) -> bool:
        """Renew a lease; False if others have taken over."""
        statement = f"UPDATE heartbeat SET beat_at = {self._dialect.now} WHERE {_MINE} AND epoch = :epoch"
        return self._write(statement, name=name, role=role, epoch=epoch) == 1

    def holds(self, name: str, role: str, epoch: int) -> bool:
        """Say whether a lease is still the latest of its name."""
        statement = f"SELECT 1 FROM heartbeat WHERE {_MINE} AND epoch = :epoch"
        return bool(self._read(statement, name=name, role=role, epoch=epoch))

    def dead(self, role: str) -> list[str]:
        """Return the processes of a role that have said nothing for too long."""
        statement = f"SELECT name FROM heartbeat WHERE role = :role AND {self._is_silent}"
        return [str(row["name"]) for row in self._read(statement, role=role, seconds=DEAD_SECONDS)]

    def expire(self, name: str, role: str) -> bool:
        """End the lease of a dead process; False if it has come back meanwhile."""
        statement = f"UPDATE heartbeat SET epoch = epoch + 1 WHERE {_MINE} AND {self._is_silent}"
        return self._write(statement, name=name, role=role, seconds=DEAD_SECONDS) == 1

    @property
    def _is_silent(self) -> str:
        return f"{self._dialect.now} - beat_at > :seconds"
