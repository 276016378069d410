"""What the service has received, waits for, works on, delivered and gave up: the index and the jobs, joined."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from dbos import DBOSClient, WorkflowStatus

from plugin.config.settings import Settings
from plugin.errors import JobFailedError
from plugin.intake.index import existing_index
from plugin.jobs.queue import (
    COMMITMENT,
    COMMITTED,
    DELIVER,
    RECONSTRUCT,
    attempt_of,
    client,
    delivery_of,
)
from plugin.jobs.work.watchdog import GIVEN_UP
from plugin.service.process import ENGINES_FILE

LATEST = 100
"""How many acquisitions and jobs are shown; of older ones, those that are not finished, or failed."""

UNFINISHED = ["DELAYED", "ENQUEUED", "PENDING"]
FAILED = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_NOT_DONE_SHOWN = 1000

_STATES = {
    **dict.fromkeys(("DELAYED", "ENQUEUED"), "queued"),
    "PENDING": "running",
    "SUCCESS": "done",
    **dict.fromkeys(FAILED, "failed"),
}

_ENDED = {
    "CANCELLED": ("cancelled", "It was cancelled; qsm-plugin retry runs it again."),
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": GIVEN_UP,
}
"""Code and sentence of workflows that ended without an error of their own."""

RETRIED = "retried"
"""Attribute of a failed attempt that was followed by another one because somebody asked for it."""

_SHOWN = ("state", "images", "code", "reason", "job", "changed_at", "missing")
"""What is shown of an acquisition."""


def status(settings: Settings, latest: int = LATEST) -> dict[str, Any]:
    """Return the state of the service as JSON values, the latest first; free of patient data.

    Raises
    ------
    PluginError
        No service has used the spool.
    """
    with closing(existing_index(settings)) as index:
        images, ignored, acquisitions = index.counts(), index.ignored(), index.latest_acquisitions(latest)
    with client(settings) as connected:
        jobs, deliveries = _jobs(connected, latest)
    engines = settings.host_folder / ENGINES_FILE  # written when a worker starts
    return {
        "images": images,
        "ignored": ignored,
        "acquisitions": [
            {"acquisition": row.acquisition[:16], **{name: getattr(row, name) for name in _SHOWN}}
            for row in acquisitions
        ],
        "jobs": [_job(job, deliveries[job.workflow_id]) for job in jobs],
        "engines": json.loads(engines.read_text(encoding="utf-8")) if engines.exists() else [],
    }


def _jobs(connected: DBOSClient, latest: int) -> tuple[list[WorkflowStatus], dict[str, list[WorkflowStatus]]]:
    """Return the latest jobs and those that are not done, the latest first, and the deliveries of each."""
    jobs = connected.list_workflows(name=RECONSTRUCT, sort_desc=True, limit=latest, load_input=False)
    found = {one.workflow_id: one for one in jobs}
    if jobs:
        since = datetime.fromtimestamp((jobs[-1].created_at or 0) / 1000, UTC).isoformat()
        of_latest = connected.list_workflows(name=DELIVER, start_time=since, load_input=False)
        found |= {one.workflow_id: one for one in of_latest}
    found |= {one.workflow_id: one for one in not_done(connected, _NOT_DONE_SHOWN)}
    deliveries: dict[str, list[WorkflowStatus]] = defaultdict(list)
    for one in latest_attempts(one for one in found.values() if one.name == DELIVER):
        deliveries[one.workflow_id.partition(".")[0]].append(one)
    if unknown := list(deliveries.keys() - found.keys()):
        of_older = connected.list_workflows(workflow_ids=unknown, name=RECONSTRUCT, load_input=False)
        found |= {one.workflow_id: one for one in of_older}
    named = (one for one in found.values() if one.name == RECONSTRUCT)
    return sorted(named, key=lambda one: one.created_at or 0, reverse=True), deliveries


def not_done(connected: DBOSClient, limit: int) -> list[WorkflowStatus]:
    """Return the latest jobs and deliveries that are not finished, and those that failed and were not retried."""
    found = connected.list_workflows(
        name=[RECONSTRUCT, DELIVER], status=[*UNFINISHED, *FAILED], sort_desc=True, limit=limit, load_input=False
    )
    return [one for one in found if not (one.attributes or {}).get(RETRIED)]


def latest_attempts(attempts: Iterable[WorkflowStatus]) -> list[WorkflowStatus]:
    """Return the latest attempt of each delivery."""
    latest: dict[str, WorkflowStatus] = {}
    for one in attempts:
        delivery, number = attempt_of(one.workflow_id)
        if delivery not in latest or attempt_of(latest[delivery].workflow_id)[1] < number:
            latest[delivery] = one
    return list(latest.values())


def state_of(workflow: WorkflowStatus) -> str:
    """Return the state of a workflow as people see it; of a delivery: pending, sent, committed or dead."""
    state, attributes = _STATES[workflow.status], workflow.attributes or {}
    if workflow.name != DELIVER:
        return state
    if state == "failed":
        return "dead"
    if state == "done":
        return COMMITTED if attributes.get("outcome") == COMMITTED else "sent"
    return "sent" if attributes.get("waits") == COMMITMENT else "pending"


def _job(job: WorkflowStatus, deliveries: list[WorkflowStatus]) -> dict[str, Any]:
    named = sorted(((delivery_of(attempt_of(one.workflow_id)[0]), one) for one in deliveries), key=lambda one: one[0])
    shown = [
        {"destination": destination, "part": part, "attempt": attempt_of(one.workflow_id)[1], **shown_of(one)}
        for (destination, part), one in named
    ]
    return {"job": job.workflow_id, **shown_of(job), "deliveries": shown}


def shown_of(workflow: WorkflowStatus) -> dict[str, Any]:
    """Return what is shown of a workflow; of one that waits, why."""
    code, reason = _ENDED.get(workflow.status, ("", ""))
    if isinstance(workflow.error, JobFailedError):
        code, reason = workflow.error.code, workflow.error.sentence
    elif workflow.error and not code:
        code = type(workflow.error).__name__
    elif workflow.attributes and "outcome" in workflow.attributes:
        reason = workflow.attributes["reason"]
    elif workflow.attributes and workflow.status in UNFINISHED:
        code, reason = workflow.attributes.get("waits", ""), workflow.attributes.get("reason", "")
    return {
        "state": state_of(workflow),
        "created_at": (workflow.created_at or 0) / 1000,
        "changed_at": (workflow.updated_at or 0) / 1000,
        "code": code,
        "reason": reason,
    }
