"""Leases of the processes of several hosts: renewed every ten seconds, and taken over a minute after the last time.

A worker that finds its lease taken over ends at once, and so does one that wants to publish a result then. What it ran
goes on elsewhere, after the last step that was recorded. The durable workflow records no step of a process that a
workflow no longer belongs to, and each process writes its files into a folder of its own; so one that stood still and
wakes up overwrites nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError

from plugin.config.settings import Settings
from plugin.intake.database.heartbeats import BEAT_SECONDS
from plugin.intake.index import existing_index
from plugin.jobs.place import Lease
from plugin.log import describe, get_logger

EXIT_TAKEN_OVER = 5
"""Exit status of a process whose lease was taken over."""

_STEADY_ROUNDS = 3
"""How often a lease is renewed before others are looked at: after an outage of the database all seem dead."""


class Leaseholder(threading.Thread):
    """Renews the lease of a process, which begins when this is made.

    ``role`` is ``"receiver"`` or ``"worker"``, ``name`` unique among all of the role.
    """

    def __init__(self, settings: Settings, name: str, role: str, *, end: Callable[[int], object] = os._exit) -> None:
        super().__init__(name="lease", daemon=True)
        self._settings = settings
        self._holder = name
        self._role = role
        self._end = end
        self._index = existing_index(settings)
        self._epoch = self._index.register(name, role, settings.host)
        self._steady = 0

    @property
    def lease(self) -> Lease:
        """The lease as those who work under it see it."""
        return Lease(name=f"{self._holder}.{self._epoch}", check=self.check)

    def check(self) -> None:
        """End the process if its lease was taken over; wait while the database is away."""
        while True:
            try:
                if not self._index.holds(self._holder, self._role, self._epoch):
                    self._lost()
                return
            except SQLAlchemyError as error:
                get_logger().error("lease.unknown", **describe(error))
                time.sleep(BEAT_SECONDS)

    def run(self) -> None:
        """Renew for ever, and take over from others."""
        while True:
            time.sleep(BEAT_SECONDS)
            try:
                self.round()
            except Exception as error:  # the database may be away; the next round tries again
                self._steady = 0
                get_logger().error("lease.not_renewed", **describe(error))

    def round(self) -> None:
        """Renew the lease; take over what the dead did once this process has been at it for a while."""
        if not self._index.renew(self._holder, self._role, self._epoch):
            self._lost()
        self._steady += 1
        if self._steady <= _STEADY_ROUNDS:
            return
        if lost := self._index.lose_associations_of_dead(time.time()):
            get_logger().warning("association.ended", state="lost", reason=f"{lost} were open on a host that is silent")
        if self._role == "worker":
            self._take_over()

    def _take_over(self) -> None:
        for name in self._index.dead("worker"):
            if self._index.expire(name, "worker"):
                # Not the public resume_workflow, which would forget how often a job's worker has died.
                for handle in DBOS._recover_pending_workflows([name]):
                    get_logger().warning("job.taken_over", job=handle.workflow_id, reason=f"{name} is silent")

    def _lost(self) -> None:
        """End a worker, which works on what others have taken over; a receiver begins a new lease and goes on."""
        if self._role == "worker":
            get_logger().error("lease.lost", reason="others have taken over the jobs; this process starts again")
            self._end(EXIT_TAKEN_OVER)
        else:
            self._epoch = self._index.register(self._holder, self._role, self._settings.host)


def hold_lease(settings: Settings, name: str, role: str) -> Lease:
    """Begin a lease where there are other hosts, and renew it as long as this process runs."""
    if not settings.database_url:
        return Lease()
    holder = Leaseholder(settings, name, role)
    holder.start()
    return holder.lease
