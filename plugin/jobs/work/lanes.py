"""Urgent jobs first, two of them for one of the others: no job waits for ever.

The queue takes the lowest priority number first. Each lane counts its jobs up from the number that is being served, an
urgent one by 1 and another one by 2 (start-time fair queueing with weights 2 and 1).
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from dbos import DBOSClient, EnqueueOptions

from plugin.config.settings import Settings
from plugin.jobs.job import Job
from plugin.jobs.queue import RECONSTRUCT

_STRIDE = {True: 1, False: 2}
"""How far a job moves its lane on, by whether it is urgent."""

_URGENT = "urgent"


class Lanes:
    """Queues the jobs of the one assembler; the numbers given so far are read from the queue at its start."""

    def __init__(self, settings: Settings, connected: DBOSClient) -> None:
        self._settings = settings
        self._connected = connected
        self._served = 0
        self._last = {True: 0, False: 0}
        waiting = connected.list_workflows(
            name=RECONSTRUCT, status=["ENQUEUED", "PENDING"], load_input=False, load_output=False
        )
        for one in waiting:
            lane = bool((one.attributes or {}).get(_URGENT))
            self._last[lane] = max(self._last[lane], one.priority or 0)

    def submit(self, job: str) -> None:
        """Queue a reconstruction; the same job again changes nothing."""
        urgent = self._is_urgent(job)
        self._last[urgent] = max(self._last[urgent], self._being_served()) + _STRIDE[urgent]
        options: EnqueueOptions = {
            "queue_name": RECONSTRUCT,
            "workflow_name": RECONSTRUCT,
            "workflow_id": job,
            "priority": self._last[urgent],
            "attributes": {_URGENT: urgent},
        }
        self._connected.enqueue(options, job)

    def _being_served(self) -> int:
        running = self._connected.list_workflows(
            name=RECONSTRUCT, status="PENDING", load_input=False, load_output=False
        )
        self._served = max([self._served, *((one.priority or 0) for one in running)])
        return self._served

    def _is_urgent(self, job: str) -> bool:
        globs = self._settings.work.urgent_callers
        if not globs:
            return False
        caller = Job.load(self._settings.spool / "jobs" / job, root=self._settings.spool).calling_ae
        return any(fnmatchcase(caller.casefold(), glob.casefold()) for glob in globs)
