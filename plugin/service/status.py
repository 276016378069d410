"""What the service has received, waits for, works on, delivered and gave up: the index and the jobs, joined."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from dbos import DBOSClient, WorkflowStatus

from plugin.config.settings import Settings
from plugin.errors import JobFailedError, PluginError
from plugin.intake.index import AcquisitionRow, Index
from plugin.jobs.queue import DELIVER, RECONSTRUCT, client, delivery_of, prepare_database
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
    "CANCELLED": ("cancelled", "somebody cancelled it; qsm-plugin retry takes it up again"),
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": (
        "worker-died",
        "the worker died each time it worked on this, perhaps for lack of memory; look at the system's log for why,"
        " then qsm-plugin retry",
    ),
}
"""Code and sentence of workflows that ended without an error of their own."""


def status(settings: Settings) -> dict[str, Any]:
    """Return the state of the service as JSON values, the latest first; free of patient data."""
    if not (settings.spool / "index.sqlite").exists():
        raise PluginError(f"no service has used the spool {settings.spool} yet; start one, or name its configuration")
    with closing(Index(settings.spool / "index.sqlite")) as index:
        images, ignored, acquisitions = index.counts(), index.ignored(), index.acquisitions()
    prepare_database(settings)
    with client(settings) as connected:
        jobs = connected.list_workflows(name=RECONSTRUCT, sort_desc=True, load_input=False)
        deliveries = connected.list_workflows(name=DELIVER, sort_desc=True, load_input=False)
    return {
        "images": images,
        "ignored": ignored,
        "acquisitions": [_acquisition(row) for row in acquisitions],
        "jobs": [_job(job, deliveries) for job in jobs],
        "engines": _engines(settings),
    }


def _engines(settings: Settings) -> list[dict[str, str]]:
    """Return what became of each inference engine when the worker started last; nothing before it first did."""
    try:
        found: list[dict[str, str]] = json.loads((settings.spool / ENGINES_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return found


def retry(settings: Settings, job: str) -> list[str]:
    """Take a failed job, or its failed deliveries, up again where they failed; return what was taken up.

    Raises
    ------
    PluginError
        There is no such job, or nothing of it failed.
    """
    prepare_database(settings)
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
    if workflow.name == DELIVER:  # its steps count the time that passed; begin anew
        destination, _ = delivery_of(workflow.workflow_id)
        connected.rewind_workflow(workflow.workflow_id, queue_name=DELIVER, queue_partition_key=destination)
        return
    # Always from the first step: what the steps exchanged was removed when the job failed.
    connected.rewind_workflow(workflow.workflow_id, start_step=1, queue_name=RECONSTRUCT)


def _acquisition(row: AcquisitionRow) -> dict[str, Any]:
    return {
        "acquisition": row.acquisition[:16],
        "state": row.state,
        "images": row.images,
        "code": row.code,
        "reason": row.reason,
        "missing": list(row.missing),
        "job": row.job,
        "changed_at": row.changed_at,
    }


def _job(job: WorkflowStatus, deliveries: Iterable[WorkflowStatus]) -> dict[str, Any]:
    mine = {d.workflow_id.partition(".")[2]: d for d in deliveries if d.workflow_id.startswith(f"{job.workflow_id}.")}
    return {
        "job": job.workflow_id,
        **_workflow(job),
        "deliveries": [
            {"destination": delivery_of(one.workflow_id)[0], "part": delivery_of(one.workflow_id)[1], **_workflow(one)}
            for _, one in sorted(mine.items())
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
