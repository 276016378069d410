"""The durable workflow's database: its names, its first start, and a client for other processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dbos import DBOS, DBOSClient

from plugin.config.settings import Settings
from plugin.files import locked
from plugin.jobs.serializer import JsonSerializer
from plugin.jobs.versions import check_job_database

APPLICATION = "qsm-plugin"

RECONSTRUCT = "reconstruct"
DELIVER = "deliver"
"""Workflows, and the queues of the same names."""

REFUSE = "refuse"
"""Workflow that says at the console why an acquisition has no map; in the queue of the reconstructions."""

TELL = "tell"
"""Workflow that says at the console why a job was given up; in the queue of the reconstructions."""

COMMITMENT = "commitment"
"""What an attempt waits for whose images were sent, and which asks the destination to commit to them."""

COMMITTED = "committed"
"""How such an attempt ended, in its attribute ``outcome``, unless it found that it need not ask."""

PAUSE_SECONDS = "pause_seconds"
"""Attribute of an attempt: how long it was to wait when it was queued."""

ENDED = "ended"
"""Event of a delivery whose first attempt has ended, well or not."""


def prepare_database(settings: Settings, *, migrating: bool = False) -> None:
    """Create the database, one process at a time: creating it twice at once fails.

    One of an older version is brought up to date only when ``migrating``.

    Raises
    ------
    SpoolError
        It is of another version.
    """
    with locked(settings.spool / ".database.lock"):
        check_job_database(settings, migrating=migrating)
        DBOS.migrate(settings.job_database_url)


@contextmanager
def client(settings: Settings) -> Iterator[DBOSClient]:
    """Connect to the durable workflow from a process that runs none of it."""
    connected = DBOSClient(
        system_database_url=settings.job_database_url, application_name=APPLICATION, serializer=JsonSerializer()
    )
    try:
        yield connected
    finally:
        connected.destroy()


def submit(connected: DBOSClient, job: str, workflow: str = RECONSTRUCT) -> None:
    """Queue a workflow of a job, ``RECONSTRUCT`` or ``REFUSE``; the same job again changes nothing."""
    connected.enqueue({"queue_name": RECONSTRUCT, "workflow_name": workflow, "workflow_id": job}, job)


def known_jobs(connected: DBOSClient) -> set[str]:
    """Return the names of all jobs that were ever submitted and are still in the database."""
    return {one.workflow_id for one in connected.list_workflows(name=RECONSTRUCT, load_input=False, load_output=False)}


def delivery_name(job: str, destination: str, part: str) -> str:
    """Name the delivery of a part of a job to a destination, and its first attempt; "+" is in no destination's name."""
    return f"{job}.{destination}+{part}"


def attempt_name(delivery: str, attempt: int) -> str:
    """Name the workflow of an attempt, the first of which is called like its delivery."""
    return delivery if attempt == 1 else f"{delivery}~{attempt}"


def attempt_of(workflow_id: str) -> tuple[str, int]:
    """Return the delivery that a workflow is an attempt of, and which."""
    delivery, _, attempt = workflow_id.partition("~")
    return delivery, int(attempt or 1)


def delivery_of(name: str) -> tuple[str, str]:
    """Return destination and part of a delivery's name."""
    destination, _, part = name.partition(".")[2].partition("+")
    return destination, part
