"""What the service has received, waits for, works on, delivered and gave up: the index and the jobs, joined."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import closing
from typing import Any

from dbos import DBOSClient, WorkflowStatus

from plugin.config.settings import Settings
from plugin.errors import JobFailedError, PluginError
from plugin.intake.index import AcquisitionRow, existing_index
from plugin.jobs.queue import DELIVER, RECONSTRUCT, client, delivery_of
from plugin.service.process import ENGINES_FILE

_STATES = {
    "DELAYED": "queued",
    "ENQUEUED": "queued",
    "PENDING": "running",
    "SUCCESS": "done",
    "ERROR": "failed",
    "CANCELLED": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
}

_ENDED = {
    "CANCELLED": ("cancelled", "somebody cancelled it; qsm-plugin retry runs it again"),
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": (
        "worker-died",
        "the worker died each time it worked on this, perhaps for lack of memory; look at the system's log for why,"
        " then qsm-plugin retry",
    ),
}
"""Code and sentence of workflows that ended without an error of their own."""


def status(settings: Settings) -> dict[str, Any]:
    """Return the state of the service as JSON values, the latest first; free of patient data.

    Raises
    ------
    PluginError
        No service has used the spool.
    """
    with closing(existing_index(settings.spool)) as index:
        images, ignored, acquisitions = index.counts(), index.ignored(), index.acquisitions()
    with client(settings) as connected:
        workflows = connected.list_workflows(name=[RECONSTRUCT, DELIVER], sort_desc=True, load_input=False)
    deliveries = defaultdict(list)
    for workflow in workflows:
        if workflow.name == DELIVER:
            deliveries[workflow.workflow_id.partition(".")[0]].append(workflow)
    return {
        "images": images,
        "ignored": ignored,
        "acquisitions": [_acquisition(row) for row in acquisitions],
        "jobs": [_job(job, deliveries[job.workflow_id]) for job in workflows if job.name == RECONSTRUCT],
        "engines": _engines(settings),
    }


def _engines(settings: Settings) -> list[dict[str, str]]:
    """Return what became of each inference engine when the worker started last; nothing before it first did."""
    try:
        engines: list[dict[str, str]] = json.loads((settings.spool / ENGINES_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return engines


def retry(settings: Settings, job: str) -> list[str]:
    """Queue a failed job, or its failed deliveries, again; return what was queued.

    Raises
    ------
    PluginError
        There is no such job, or nothing of it failed.
    """
    existing_index(settings.spool).close()
    with client(settings) as connected:
        found = connected.list_workflows(workflow_id_prefix=job, load_input=False)
        mine = [one for one in found if one.workflow_id == job or one.workflow_id.startswith(f"{job}.")]
        if not mine:
            raise PluginError(f"there is no job {job}; qsm-plugin status lists them")
        failed = [one for one in mine if _STATES[one.status] == "failed"]
        if not failed:
            raise PluginError(f"nothing of job {job} failed; qsm-plugin status says how far it is")
        for one in failed:
            _rewind(connected, one)
    return [one.workflow_id for one in failed]


def _rewind(connected: DBOSClient, workflow: WorkflowStatus) -> None:
    """Queue a workflow from its first step: what steps exchanged is gone, and deliveries count the time that passed."""
    if workflow.name == DELIVER:
        destination, _ = delivery_of(workflow.workflow_id)
        connected.rewind_workflow(workflow.workflow_id, queue_name=DELIVER, queue_partition_key=destination)
    else:
        connected.rewind_workflow(workflow.workflow_id, queue_name=RECONSTRUCT)


def _acquisition(row: AcquisitionRow) -> dict[str, Any]:
    names = ("state", "images", "code", "reason", "job", "changed_at")
    shown = {name: getattr(row, name) for name in names}
    return {"acquisition": row.acquisition[:16], **shown, "missing": list(row.missing)}


def _job(job: WorkflowStatus, deliveries: list[WorkflowStatus]) -> dict[str, Any]:
    named = sorted((delivery_of(one.workflow_id), one) for one in deliveries)
    return {
        "job": job.workflow_id,
        **_workflow(job),
        "deliveries": [
            {"destination": destination, "part": part, **_workflow(one)} for (destination, part), one in named
        ],
    }


def _workflow(workflow: WorkflowStatus) -> dict[str, Any]:
    code, reason = _ENDED.get(workflow.status, ("", ""))
    if isinstance(workflow.error, JobFailedError):
        code, reason = workflow.error.code, workflow.error.sentence
    elif workflow.error and not code:
        code = type(workflow.error).__name__
    return {
        "state": _STATES[workflow.status],
        "created_at": (workflow.created_at or 0) / 1000,
        "changed_at": (workflow.updated_at or 0) / 1000,
        "code": code,
        "reason": reason,
    }
