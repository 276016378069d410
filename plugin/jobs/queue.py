"""The durable workflow's database: its names, its first start, and a client for other processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dbos import DBOS, DBOSClient

from plugin.config.settings import Settings
from plugin.files import locked

APPLICATION = "qsm-plugin"

RECONSTRUCT = "reconstruct"
DELIVER = "deliver"
"""Workflows, and the queues of the same names."""

REFUSE = "refuse"
"""Workflow that says at the console why an acquisition has no map; in the queue of the reconstructions."""

ENDED = "ended"
"""Event of a delivery that has ended, well or not."""


def prepare_database(settings: Settings) -> None:
    """Create the database, or bring it up to date, one process at a time: creating it twice at once fails."""
    with locked(settings.spool / ".database.lock"):
        DBOS.migrate(settings.job_database_url)


@contextmanager
def client(settings: Settings) -> Iterator[DBOSClient]:
    """Connect to the durable workflow from a process that runs none of it."""
    connected = DBOSClient(system_database_url=settings.job_database_url, application_name=APPLICATION)
    try:
        yield connected
    finally:
        connected.destroy()


def submit(connected: DBOSClient, job: str, workflow: str = RECONSTRUCT) -> None:
    """Queue a workflow of a job, ``RECONSTRUCT`` or ``REFUSE``; the same job again changes nothing."""
    connected.enqueue({"queue_name": RECONSTRUCT, "workflow_name": workflow, "workflow_id": job}, job)


def delivery_name(job: str, destination: str, part: str) -> str:
    """Name the delivery of a part of a job to a destination; "+" is in no destination's name."""
    return f"{job}.{destination}+{part}"


def delivery_of(name: str) -> tuple[str, str]:
    """Return destination and part of a delivery's name."""
    destination, _, part = name.partition(".")[2].partition("+")
    return destination, part
