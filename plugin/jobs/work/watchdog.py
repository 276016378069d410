"""Looks after what a process runs: what nobody works on is done again, and what never ends is ended.

A thread cannot be stopped, so a step that takes too long, and a job that was cancelled, end the process: its supervisor
starts it again. A workflow whose end could not be recorded, as on a full disk, still counts as running in the database
while no thread works on it; it continues after the last step that was recorded.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Container, Sequence

from dbos import DBOSClient, EnqueueOptions, WorkflowStatus

from plugin.config.settings import Settings
from plugin.jobs.queue import DELIVER, RECONSTRUCT, TELL, client
from plugin.jobs.work.running import Running, running
from plugin.log import describe, get_logger

EXIT_OVERDUE = 3
EXIT_CANCELLED = 4
"""Exit statuses of a process that ended itself."""

GIVEN_UP = (
    "worker-died",
    "The worker ended each time it worked on this acquisition. See the system's log; qsm-plugin retry tries again.",
)
"""Code and sentence of a job that was given up after so many crashes."""

_POLL_SECONDS = 10.0
_GIVEN_UP_SHOWN = 100


class Watchdog(threading.Thread):
    """Watches one process; ``executor`` is its name in the database."""

    def __init__(self, settings: Settings, executor: str, *, end: Callable[[int], object] = os._exit) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._settings = settings
        self._executor = executor
        self._end = end
        self._ended = threading.Event()
        self._lost_before: set[str] = set()

    def stop(self) -> None:
        """End before the next round."""
        self._ended.set()

    def run(self) -> None:
        """Watch until stopped."""
        while not self._ended.wait(_POLL_SECONDS):
            try:
                self.end_overdue()
                with client(self._settings) as connected:
                    self.look(connected)
            except Exception as error:  # the database may be away; the next round looks again
                get_logger().error("watchdog.failed", **describe(error))

    def end_overdue(self) -> None:
        """End the process if one of its steps takes longer than the site allows."""
        limit = 60 * self._settings.work.step_minutes
        for one in running():
            if one.step and time.monotonic() - one.since > limit:
                get_logger().error("step.overdue", job=one.workflow, step=one.step, seconds=round(limit))
                self._end(EXIT_OVERDUE)

    def look(self, connected: DBOSClient) -> None:
        """Compare what runs here with what the database says."""
        now = running()
        mine = connected.list_workflows(
            status="PENDING", executor_id=self._executor, load_input=False, load_output=False
        )
        self._end_cancelled(connected, now)
        self._resume_lost(connected, mine, {one.workflow for one in now})
        tell_of_given_up(connected)

    def _end_cancelled(self, connected: DBOSClient, now: Sequence[Running]) -> None:
        names = [one.workflow for one in now]
        if names and (cancelled := connected.list_workflows(workflow_ids=names, status="CANCELLED", load_input=False)):
            if all(one.name == DELIVER for one in cancelled):  # each of its associations ends by itself
                return
            get_logger().warning("job.cancelled", job=cancelled[0].workflow_id)
            self._end(EXIT_CANCELLED)

    def _resume_lost(self, connected: DBOSClient, mine: Sequence[WorkflowStatus], here: set[str]) -> None:
        """Queue again what was lost in two rounds: what was only just taken from the queue may not run yet."""
        lost = {one.workflow_id: one for one in mine if one.workflow_id not in here}
        for name in lost.keys() & self._lost_before:
            get_logger().error("job.resumed", job=name, reason="its end could not be recorded; it continues")
            connected.resume_workflow(name, queue_name=_queue_of(lost[name]))
        self._lost_before = lost.keys() - self._lost_before


def hand_back(settings: Settings, executor: str, except_for: Container[str] = ()) -> list[str]:
    """Queue again what this process works on, or its predecessor did, where its end is not a crash.

    Returns the workflows, which continue after the last step that was recorded; those in ``except_for`` stay.
    """
    with client(settings) as connected:
        mine = connected.list_workflows(status="PENDING", executor_id=executor, load_input=False, load_output=False)
        handed_back = [one for one in mine if one.workflow_id not in except_for]
        for one in handed_back:
            connected.resume_workflow(one.workflow_id, queue_name=_queue_of(one))
    return [one.workflow_id for one in handed_back]


def tell_of_given_up(connected: DBOSClient) -> None:
    """Say at the console, once, that a job was given up because the worker died each time."""
    given_up = connected.list_workflows(
        name=RECONSTRUCT,
        status="MAX_RECOVERY_ATTEMPTS_EXCEEDED",
        sort_desc=True,
        limit=_GIVEN_UP_SHOWN,
        load_input=False,
        load_output=False,
    )
    told = {f"{one.workflow_id}.told": one.workflow_id for one in given_up}
    known = connected.list_workflows(workflow_ids=list(told), load_input=False, load_output=False) if told else []
    for name in told.keys() - {one.workflow_id for one in known}:
        get_logger().error("job.given_up", job=told[name], code=GIVEN_UP[0], reason=GIVEN_UP[1])
        options: EnqueueOptions = {"queue_name": RECONSTRUCT, "workflow_name": TELL, "workflow_id": name}
        connected.enqueue(options, told[name], *GIVEN_UP)


def _queue_of(workflow: WorkflowStatus) -> str:
    return DELIVER if workflow.name == DELIVER else RECONSTRUCT
