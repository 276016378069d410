"""What a person may do with a job: run it again, cancel it."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from dbos import DBOSClient, WorkflowStatus

from plugin.config.settings import Settings
from plugin.errors import PluginError
from plugin.intake.index import existing_index
from plugin.jobs.delivery.age import Age
from plugin.jobs.delivery.deliveries import Attempt
from plugin.jobs.queue import DELIVER, RECONSTRUCT, attempt_of, client
from plugin.service.status import RETRIED, UNFINISHED, latest_attempts, state_of


def retry(settings: Settings, job: str) -> list[str]:
    """Queue a failed job, or its failed deliveries, again; return what was queued.

    Destinations that have not committed to what they were sent are asked again at once.

    Raises
    ------
    PluginError
        There is no such job, or nothing of it failed.
    """
    existing_index(settings).close()
    with client(settings) as connected:
        found = _workflows_of(connected, job)
        failed = [one for one in found if state_of(one) in ("failed", "dead")]
        unconfirmed = [one for one in found if state_of(one) == "sent" and one.status == "DELAYED"]
        for one in unconfirmed:
            connected.set_workflow_delay(one.workflow_id, delay_seconds=0)
        if not (failed or unconfirmed):
            raise PluginError(f"nothing of job {job} failed; qsm-plugin status says how far it is")
        for one in failed:
            if one.name == DELIVER:
                _deliver_again(connected, one)
            else:  # from the first step: what the steps exchanged is gone
                connected.rewind_workflow(one.workflow_id, queue_name=RECONSTRUCT)
    return [attempt_of(one.workflow_id)[0] for one in (*failed, *unconfirmed)]


def cancel(settings: Settings, job: str) -> list[str]:
    """Cancel a job, or those of its deliveries that are not finished; return what was cancelled.

    A reconstruction that runs ends within seconds: its worker is restarted.

    Raises
    ------
    PluginError
        There is no such job, or all of it is finished.
    """
    existing_index(settings).close()
    with client(settings) as connected:
        cancelled: list[str] = []
        while unfinished := [one.workflow_id for one in _workflows_of(connected, job) if one.status in UNFINISHED]:
            connected.cancel_workflows(unfinished)  # an attempt may just have queued the next one
            cancelled += unfinished
    if not cancelled:
        raise PluginError(f"all of job {job} is finished; qsm-plugin status says how it ended")
    return list(dict.fromkeys(attempt_of(name)[0] for name in cancelled))


def _workflows_of(connected: DBOSClient, job: str) -> list[WorkflowStatus]:
    """Return the workflows of a job, or of one of its deliveries: of each delivery, the latest attempt."""
    found = connected.list_workflows(workflow_id_prefix=job, load_output=False)
    mine = [one for one in found if one.workflow_id == job or one.workflow_id.startswith((f"{job}.", f"{job}~"))]
    if not mine:
        raise PluginError(f"there is no job {job}; qsm-plugin status lists them")
    others = [one for one in mine if one.name != DELIVER]
    return [*others, *latest_attempts(one for one in mine if one.name == DELIVER)]


def _deliver_again(connected: DBOSClient, failed: WorkflowStatus) -> None:
    """Queue another attempt, for which the time begins again."""
    assert failed.input is not None
    attempt = Attempt.of(failed.input["args"][0])
    following = replace(
        attempt,
        number=attempt.number + 1,
        queued_at=time.time(),
        age=Age(),
        begun_at=0.0,
        refused_at=None,
        uncommitted_at=None,
    )
    connected.enqueue(following.options, asdict(following))
    connected.update_workflow_attributes(failed.workflow_id, {RETRIED: True})
