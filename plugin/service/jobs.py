"""The durable workflows: make the QSM series of a job, then deliver it to each destination on its own.

Each step's result is recorded. A worker that dies goes on after the last recorded step when it starts again;
a job that was submitted twice runs once. What a step cannot heal by trying again ends the job as failed, with
a code and a sentence.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dbos import DBOS
from dbos import error as dbos_error

from dicom_io.derived.pixel_profile import PROFILES
from dicom_io.errors import DicomError, Refusal
from plugin.deliver import send_files
from plugin.errors import JobFailedError, PluginError
from plugin.job import Job
from plugin.log import describe, get_logger
from plugin.network import Address
from plugin.service.queue import DELIVER, RECONSTRUCT, delivery_name
from plugin.settings import SENDER, Retry, Settings
from plugin.workflow import discard_work, make_qsm, reported_files
from recon.errors import InvalidInputError, ReconError

if TYPE_CHECKING:
    from recon.pipeline import Options

T = TypeVar("T")

_STEP_ATTEMPTS = 3
_RECOVERY_ATTEMPTS = 3
"""How often a reconstruction during which the worker died is taken up again: images may be what kills it."""

_LASTING_ATTEMPTS = 3
"""How often objects are sent to a peer that refuses the objects themselves."""

_PER_DESTINATION = 4
"""Deliveries to one destination at a time: more than one, so a series it refuses does not hold up the next."""


def register_workflows(settings: Settings, options: Options) -> None:
    """Tell the durable workflow what to run; before its launch."""

    @DBOS.workflow(name=RECONSTRUCT, max_recovery_attempts=_RECOVERY_ATTEMPTS)
    def reconstruct(job: str) -> None:
        reconstruct_job(settings, options, job)

    @DBOS.workflow(name=DELIVER)
    def deliver(job: str, destination: str) -> None:
        deliver_job(settings, job, destination)


def register_queues() -> None:
    """Create the queues; after the launch."""
    DBOS.register_queue(RECONSTRUCT, worker_concurrency=1, polling_interval_sec=0.2)
    DBOS.register_queue(DELIVER, partition_concurrency=_PER_DESTINATION, polling_interval_sec=0.2)


def reconstruct_job(settings: Settings, options: Options, job: str) -> None:
    """Make the QSM series of a job and queue its deliveries."""
    log, began = get_logger().bind(job=job), time.monotonic()
    folder = settings.spool / "jobs" / job
    log.info("job.started")
    try:
        loaded = _explained("load", partial(Job.load, folder, root=settings.spool))
        profile = PROFILES[settings.profile]
        files = make_qsm(
            loaded, folder, options=options, profile=profile, run=partial(_durably, job), progress=_nothing
        )
    except JobFailedError as failure:
        log.error("job.failed", code=failure.code, reason=failure.sentence)
        discard_work(folder)  # nobody reads it any more: a retry begins anew
        raise
    log.info("job.reconstructed", images=len(files), seconds=round(time.monotonic() - began, 2))
    for destination in sorted(destinations(settings, loaded)):
        DBOS.enqueue_workflow_with_options(
            {
                "queue_name": DELIVER,
                "workflow_name": DELIVER,
                "workflow_id": delivery_name(job, destination),
                "queue_partition_key": destination,
            },
            job,
            destination,
        )


def deliver_job(settings: Settings, job: str, destination: str) -> None:
    """Send a job's series to a destination until it has all of it, for as long as the policy says."""
    folder = settings.spool / "jobs" / job
    log = get_logger().bind(job=job, destination=destination)
    names = deliverable(folder)
    lasting = 0
    for attempt, pause in enumerate((*pauses_seconds(settings.retry), None), start=1):
        sent = _durably(job, f"deliver-to-{destination}", partial(_send, settings, job, destination, names))
        names, lasting = sent["undelivered"], lasting + sent["lasting"]
        if not names:
            log.info("delivery.done", attempt=attempt, delivered=sent["delivered"], seconds=sent["seconds"])
            return
        if pause is None or lasting >= _LASTING_ATTEMPTS:
            log.error("delivery.failed", attempt=attempt, failed=len(names), reason=sent["reason"])
            raise JobFailedError("delivery-failed", f"{len(names)} objects are not at {destination}: {sent['reason']}")
        wait = pause * random.uniform(0.5, 1.5)  # so that what failed together is not tried together
        log.warning(
            "delivery.retried",
            attempt=attempt,
            failed=len(names),
            reason=sent["reason"],
            retry_in_seconds=round(wait, 1),
        )
        DBOS.sleep(wait)


def deliverable(folder: Path) -> list[str]:
    """Return the objects to deliver, as the job's report names them, relative to its folder.

    Raises
    ------
    JobFailedError
        There are none, or one is missing.
    """
    try:
        names = reported_files(folder)
    except FileNotFoundError:
        names = []
    missing = sum(not (folder / name).is_file() for name in names)
    if missing or not names:
        found = f"{missing} of {len(names)} objects are missing" if names else "there are no objects"
        raise JobFailedError("nothing-to-deliver", f"{found} in the job's folder; retry the job to make them again")
    return names


def destinations(settings: Settings, job: Job) -> dict[str, Address]:
    """Where a job's series goes, by name."""
    found = {d.name: Address(ae_title=d.ae_title, host=d.host, port=d.port) for d in settings.destinations}
    if settings.return_to_sender and job.calling_ae and job.address:
        port = settings.return_port(job.calling_ae)
        found[SENDER] = Address(ae_title=job.calling_ae, host=job.address, port=port)
    return found


def pauses_seconds(retry: Retry) -> Iterator[float]:
    """Pauses between attempts: doubling up to the longest, until the time is up."""
    pause, left = retry.first_seconds, retry.give_up_after_hours * 3600
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(2 * pause, retry.longest_seconds)


def _send(settings: Settings, job: str, destination: str, names: list[str]) -> dict[str, Any]:
    """Send files of a job once; the address is looked up anew, so a corrected configuration heals a delivery."""
    folder = settings.spool / "jobs" / job
    peer = destinations(settings, Job.load(folder, root=settings.spool)).get(destination)
    if peer is None:
        sentence = f"destination {destination} is no longer in the configuration; add it again, then retry"
        raise JobFailedError("no-destination", sentence)
    sent = send_files([folder / name for name in names], peer, calling_ae=settings.ae_title)
    return {
        "undelivered": [str(path.relative_to(folder)) for path in sent.undelivered],
        "delivered": len(sent.delivered),
        "reason": sent.reason,
        "lasting": int(sent.lasting),
        "seconds": round(sent.seconds, 2),
    }


def _durably(job: str, step: str, function: Callable[[], Any]) -> Any:  # noqa: ANN401 - a JSON value
    """Run a step so that its result is recorded, and so that it is tried again where that may help."""
    try:
        return DBOS.run_step(
            {
                "name": step,
                "retries_allowed": True,
                "max_attempts": _STEP_ATTEMPTS,
                "interval_seconds": 2.0,
                "should_retry": _may_heal,
            },
            partial(_told, job, step, function),
        )
    except dbos_error.DBOSMaxStepRetriesExceeded as exhausted:
        raise exhausted.errors[-1] from None


def _told(job: str, step: str, function: Callable[[], Any]) -> Any:  # noqa: ANN401 - a JSON value
    """Run a step and say how long it took, or why it failed."""
    log, began = get_logger().bind(job=job, step=step), time.monotonic()
    log.debug("step.started")
    try:
        result = _explained(step, function)
    except JobFailedError as failure:
        log.warning("step.failed", code=failure.code, reason=failure.sentence)
        raise
    log.info("step.done", seconds=round(time.monotonic() - began, 2))
    return result


def _explained(step: str, function: Callable[[], T]) -> T:
    """Run a step; whatever goes wrong becomes a code and a sentence that can be recorded and shown."""
    try:
        return function()
    except Exception as error:
        raise _failure(error, step) from None


_HEALING = ("system-error", "step-failed")


def _failure(error: Exception, step: str) -> JobFailedError:
    match error:
        case JobFailedError():
            return error
        case Refusal():
            return JobFailedError(error.code, error.message)
        case InvalidInputError():
            return JobFailedError("invalid-input", str(error))
        case DicomError() | ReconError() | PluginError():
            return JobFailedError("step-failed", str(error))
        case OSError() | MemoryError():
            reason = error.strerror if isinstance(error, OSError) else "out of memory"
            return JobFailedError("system-error", f"step {step}: {reason}")
        case _:
            details = describe(error)
            sentence = f"step {step}: unexpected {details['error']} at {details['where']}; please report it"
            return JobFailedError("step-failed", sentence)


def _may_heal(error: BaseException) -> bool:
    return isinstance(error, JobFailedError) and error.code in _HEALING


def _nothing(_text: str) -> None:
    """Say nothing: the log has a line for each step."""
