"""What the service has received, waits for, works on, delivered and gave up: the index and the jobs, joined."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import closing
from typing import Any

from dbos import WorkflowStatus

from plugin.config.settings import Settings
from plugin.errors import JobFailedError, PluginError
from plugin.intake.index import existing_index
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
    "CANCELLED": ("cancelled", "it was cancelled; qsm-plugin retry runs it again"),
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": (
        "worker-died",
        "the worker died each time it worked on this; look at the system's log for why, then qsm-plugin retry",
    ),
}
"""Code and sentence of workflows that ended without an error of their own."""


_SHOWN = ("state", "images", "code", "reason", "job", "changed_at", "missing")
"""What is shown of an acquisition."""


def status(settings: Settings) -> dict[str, Any]:
    """Return the state of the service as JSON values, the latest first; free of patient data.

    Raises
    ------
    PluginError
        No service has used the spool.
    """
    with closing(existing_index(settings)) as index:
        images, ignored, acquisitions = index.counts(), index.ignored(), index.acquisitions()
    with client(settings) as connected:
        workflows = connected.list_workflows(name=[RECONSTRUCT, DELIVER], sort_desc=True, load_input=False)
    deliveries = defaultdict(list)
    for workflow in workflows:
        if workflow.name == DELIVER:
            deliveries[workflow.workflow_id.partition(".")[0]].append(workflow)
    engines = settings.spool / ENGINES_FILE  # written when a worker starts
    return {
        "images": images,
        "ignored": ignored,
        "acquisitions": [
            {"acquisition": row.acquisition[:16], **{name: getattr(row, name) for name in _SHOWN}}
            for row in acquisitions
        ],
        "jobs": [_job(job, deliveries[job.workflow_id]) for job in workflows if job.name == RECONSTRUCT],
        "engines": json.loads(engines.read_text(encoding="utf-8")) if engines.exists() else [],
    }


def retry(settings: Settings, job: str) -> list[str]:
    """Queue a failed job, or its failed deliveries, again; return what was queued.

    Raises
    ------
    PluginError
        There is no such job, or nothing of it failed.
    """
    existing_index(settings).close()
    with client(settings) as connected:
        found = connected.list_workflows(workflow_id_prefix=job, load_input=False)
        mine = [one for one in found if one.workflow_id == job or one.workflow_id.startswith(f"{job}.")]
        if not mine:
            raise PluginError(f"there is no job {job}; qsm-plugin status lists them")
        failed = [one for one in mine if _STATES[one.status] == "failed"]
        if not failed:
            raise PluginError(f"nothing of job {job} failed; qsm-plugin status says how far it is")
        for one in failed:  # from their first step: what steps exchanged is gone, deliveries count the time that passed
            queue, destination = RECONSTRUCT, None
            if one.name == DELIVER:
                queue, (destination, _) = DELIVER, delivery_of(one.workflow_id)
            connected.rewind_workflow(one.workflow_id, queue_name=queue, queue_partition_key=destination)
    return [one.workflow_id for one in failed]


def _job(job: WorkflowStatus, deliveries: list[WorkflowStatus]) -> dict[str, Any]:
    named = sorted((delivery_of(one.workflow_id), one) for one in deliveries)
    shown = [{"destination": destination, "part": part, **_workflow(one)} for (destination, part), one in named]
    return {"job": job.workflow_id, **_workflow(job), "deliveries": shown}


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
