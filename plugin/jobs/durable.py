"""The durable workflows: make the QSM series of a job, then the other objects, each delivered on its own.

Each step's result is recorded. A worker that dies goes on after the last recorded step when it starts again;
a job that was submitted twice runs once. What a step cannot heal by trying again ends the job as failed, with
a code and a sentence.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dbos import DBOS

from dicom_io.derived.product import FIRST_PART, OTHER_PART, REFUSAL_PART
from dicom_io.derived.products import FIRST, REFUSAL_PAGE
from plugin.config.settings import Settings
from plugin.errors import JobFailedError
from plugin.jobs.deliveries import deliver_job, let_the_map_go, objects_to_make, queue_deliveries
from plugin.jobs.job import Job
from plugin.jobs.queue import DELIVER, RECONSTRUCT, REFUSE
from plugin.jobs.steps import durably, explained
from plugin.jobs.workflow import Runner, discard_work, make_others, make_qsm, read_report, write_refusal
from plugin.log import get_logger

if TYPE_CHECKING:
    from recon.options import Options

OTHERS_FAILED = "others-failed"
"""Code of a job whose map was made and whose other objects were not."""

QUALITY_FAILED = "quality-failed"
"""Code of a job whose map is not to be read; it stays in the spool and is delivered to nobody."""

_RECOVERY_ATTEMPTS = 3
"""How often a reconstruction during which the worker died is taken up again: images may be what kills it."""

_PER_DESTINATION = 4
"""Deliveries to one destination at a time: more than one, so a series it refuses does not hold up the next."""


def register_workflows(settings: Settings, options: Options) -> None:
    """Tell the durable workflow what to run; before its launch."""

    @DBOS.workflow(name=RECONSTRUCT, max_recovery_attempts=_RECOVERY_ATTEMPTS)
    def reconstruct(job: str) -> None:
        reconstruct_job(settings, options, job)

    @DBOS.workflow(name=REFUSE)
    def refuse(job: str) -> None:
        refuse_job(settings, job)

    @DBOS.workflow(name=DELIVER)
    def deliver(job: str, destination: str, part: str = FIRST_PART) -> None:
        deliver_job(settings, job, destination, part)


def register_queues() -> None:
    """Create the queues; after the launch."""
    DBOS.register_queue(RECONSTRUCT, worker_concurrency=1, polling_interval_sec=0.2)
    DBOS.register_queue(DELIVER, partition_concurrency=_PER_DESTINATION, polling_interval_sec=0.2)


def reconstruct_job(settings: Settings, options: Options, job: str) -> None:
    """Make the QSM series of a job and queue its deliveries; then the other objects, and theirs.

    A job that is refused or fails queues the page that says so, where the site wants one.
    """
    folder = settings.spool / "jobs" / job
    try:
        loaded = explained("load", partial(Job.load, folder, root=settings.spool))
        _make(settings, options, job, loaded)
    except JobFailedError as failure:
        get_logger().error("job.failed", job=job, code=failure.code, reason=failure.sentence)
        discard_work(folder)  # nobody reads it any more: a retry begins anew
        if failure.code != OTHERS_FAILED:
            _refuse(settings, job, (failure.code, failure.sentence))
        raise


def _make(settings: Settings, options: Options, job: str, loaded: Job) -> None:
    log, began = get_logger().bind(job=job), time.monotonic()
    log.info("job.started")
    folder, profile, objects = settings.spool / "jobs" / job, settings.profile, objects_to_make(settings)
    run = partial(durably, job)
    files = make_qsm(
        loaded,
        folder,
        options=options,
        profile=profile,
        window_presets=settings.window_presets,
        objects=objects,
        run=run,
        progress=_nothing,
    )
    log.info("job.reconstructed", images=len(files), seconds=round(time.monotonic() - began, 2))
    verdict = read_report(folder).get("verdict", {"level": ""})  # reports of earlier versions have none
    if verdict["level"] == "failed" and settings.withhold_failed_maps:
        raise JobFailedError(QUALITY_FAILED, f"The map failed its quality check. {' '.join(verdict['reasons'])}")
    queue_deliveries(settings, job, loaded, FIRST_PART)
    if set(objects) <= set(FIRST):
        return
    try:
        after_the_map = partial(_after, partial(let_the_map_go, settings, job, loaded), run)
        make_others(loaded, folder, profile=profile, objects=objects, run=after_the_map, progress=_nothing)
    except JobFailedError as failure:  # the map is there, so no page may say that there is none
        raise JobFailedError(OTHERS_FAILED, failure.sentence) from None
    for name, reason in read_report(folder)["not_made"].items():
        log.warning("object.not_made", object=name, reason=reason)
    queue_deliveries(settings, job, loaded, OTHER_PART)


def _after(wait: Callable[[], None], run: Runner, step: str, function: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Run a step that waits before it begins."""

    def begun_later() -> Any:  # noqa: ANN401 - a JSON value
        wait()
        return function()

    return run(step, begun_later)


def refuse_job(settings: Settings, job: str) -> None:
    """Say at the console why an acquisition has no map."""
    folder = settings.spool / "jobs" / job
    loaded = explained("load", partial(Job.load, folder, root=settings.spool))
    if loaded.refusal is not None:
        _refuse(settings, job, loaded.refusal)


def _refuse(settings: Settings, job: str, refusal: tuple[str, str]) -> None:
    """Write the page and queue its deliveries; a page that cannot be written must not hide why."""
    if REFUSAL_PAGE not in settings.objects.names:
        return
    folder = settings.spool / "jobs" / job
    try:
        loaded = explained("load", partial(Job.load, folder, root=settings.spool))
        durably(job, "refuse", partial(write_refusal, loaded, folder, refusal))
    except JobFailedError as failure:
        get_logger().error("refusal.failed", job=job, code=failure.code, reason=failure.sentence)
        return
    queue_deliveries(settings, job, loaded, REFUSAL_PART)


def _nothing(_text: str) -> None:
    """Say nothing: the log has a line for each step."""
