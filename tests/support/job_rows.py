"""Rows in the database of the workflows, without anybody who runs them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict

from plugin.config.settings import Settings
from plugin.jobs.delivery.deliveries import Attempt
from plugin.jobs.queue import client, submit


def add_job(settings: Settings, job: str, destinations: tuple[str, ...] = ("pacs",)) -> None:
    """Queue a job and the deliveries of its map."""
    with client(settings) as connected:
        submit(connected, job)
        for destination in destinations:
            attempt = Attempt(job=job, destination=destination, part="qsm", names=["qsm/1.dcm"], queued_at=0.0)
            connected.enqueue(attempt.options, asdict(attempt))


def set_status(settings: Settings, status: str, prefix: str = "") -> None:
    """Give workflows a status, as if they had been run."""
    with closing(sqlite3.connect(settings.spool / "jobs.sqlite")) as database, database:
        database.execute(
            "UPDATE workflow_status SET status = ? WHERE substr(workflow_uuid, 1, ?) = ?", (status, len(prefix), prefix)
        )


def multiply(settings: Settings, job: str, count: int) -> None:
    """Copy a job and its deliveries, each copy a minute older and under a name of its own."""
    with closing(sqlite3.connect(settings.spool / "jobs.sqlite")) as database, database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(workflow_status)")]
        changed = {
            "workflow_uuid": "printf('%08d', value) || substr(workflow_uuid, 9)",
            "created_at": "created_at - 60000 * value",
        }
        database.execute(
            f"WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < {count - 1})"
            f" INSERT INTO workflow_status ({', '.join(columns)})"
            f" SELECT {', '.join(changed.get(name, name) for name in columns)} FROM workflow_status, n"
            " WHERE substr(workflow_uuid, 1, ?) = ?",
            (len(job), job),
        )
