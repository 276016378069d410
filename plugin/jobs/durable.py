"""The durable workflows: make the QSM series of a job, then the other objects, each delivered on its own.

Each step's result is recorded. A worker that dies goes on after the last recorded step when it starts again;
a job that was submitted twice runs once. What a step cannot heal by trying again ends the job as failed, with
a code and a sentence.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig, _workflow_commands

from dicom_io.derived.product import OTHER_PART, REFUSAL_PART
from dicom_io.derived.products import REFUSAL_PAGE
from plugin.config.settings import Settings
from plugin.errors import JobFailedError
from plugin.jobs.delivery.attempts import deliver
from plugin.jobs.delivery.confirmation import confirm
from plugin.jobs.delivery.contacts import Contacts
from plugin.jobs.delivery.deliveries import Attempt, end_first_attempt, objects_to_make, queue_deliveries, wait_for_map
from plugin.jobs.job import Job
from plugin.jobs.place import Lease, Place
from plugin.jobs.queue import APPLICATION, DELIVER, RECONSTRUCT, REFUSE, TELL
from plugin.jobs.serializer import JsonSerializer
from plugin.jobs.steps import durably, explained
from plugin.jobs.work.running import noted_workflow
from plugin.jobs.work.space import wait_for_space
from plugin.jobs.workflow import Report, Wanted, discard_work, make, quality_failure, write_refusal
from plugin.log import get_logger
from recon.options import Options

OTHERS_FAILED = "others-failed"
"""Code of a job whose map was made and whose other objects were not."""

_WORKFLOW_VERSION = "2"
"""Changes only when recorded steps of an older version could not be continued by this one."""

NO_LEASE = Lease()
"""Of a worker that has the database to itself."""

_PER_DESTINATION = 4
"""Deliveries to one destination at a time: more than one, so a series it refuses does not hold up the next."""

_POLL_SECONDS = 1.0
_POLL_DELIVERIES_SECONDS = 1.0
_POLL_DELAYED_SECONDS = 1.0
"""How often the queues are looked at: a job begins soon after it was queued, and an idle service costs little."""

_SELDOM_SECONDS = 60.0
"""How often DBOS looks for what this process has none of."""

Role = Callable[[], str]
"""Registers workflows, and returns the queue that they are taken from."""


def launch(settings: Settings, executor: str, *roles: Role) -> None:
    """Run workflows in this process, beginning with those of this executor that were interrupted."""
    dbos = DBOS(
        config=DBOSConfig(
            name=APPLICATION,
            system_database_url=settings.job_database_url,
            application_version=_WORKFLOW_VERSION,
            executor_id=executor,
            log_level="WARNING",
            run_migrations=False,
            serializer=JsonSerializer(),
        )
    )
    queues = [role() for role in roles]
    DBOS.listen_queues(queues)
    _poll_seldom(dbos, delays=DELIVER in queues or bool(settings.database_url))
    DBOS.launch()
    DBOS.register_queue(RECONSTRUCT, worker_concurrency=1, polling_interval_sec=_POLL_SECONDS)
    DBOS.register_queue(DELIVER, partition_concurrency=_PER_DESTINATION, polling_interval_sec=_POLL_DELIVERIES_SECONDS)


def _poll_seldom(dbos: DBOS, *, delays: bool) -> None:
    """Let DBOS poll once a minute what would be empty every second; it has no setting for this.

    Nothing here uses its own queue; and only deliveries have ``delays``. With PostgreSQL the processes take turns in
    looking for what is delayed, so there each of them has to look often.
    """
    dbos._registry.get_internal_queue()._polling_interval_sec = _SELDOM_SECONDS
    _workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC = _POLL_DELAYED_SECONDS if delays else _SELDOM_SECONDS


def reconstructing(settings: Settings, options: Options, lease: Lease = NO_LEASE) -> Role:
    """Return the role of a worker: making what is delivered, and the pages that say why there is no map."""

    def register() -> str:
        @DBOS.workflow(name=RECONSTRUCT, max_recovery_attempts=settings.work.crashes)
        def reconstruct(job: str) -> None:
            with noted_workflow():
                reconstruct_job(settings, options, job, lease)

        @DBOS.workflow(name=REFUSE)
        def refuse(job: str) -> None:
            with noted_workflow():
                refusal = _load(settings, job).refusal
                assert refusal is not None
                _refuse(settings, job, refusal, lease)

        @DBOS.workflow(name=TELL)
        def tell(job: str, code: str, sentence: str) -> None:
            with noted_workflow():
                discard_work(_place(settings, job, lease))
                _refuse(settings, job, (code, sentence), lease)

        return RECONSTRUCT

    return register


def delivering(settings: Settings, contacts: Contacts) -> Role:
    """Return the role of a deliverer."""

    def register() -> str:
        @DBOS.workflow(name=DELIVER)
        def attempt_delivery(values: dict[str, Any]) -> None:
            attempt = Attempt.of(values)
            try:
                with noted_workflow():
                    if attempt.sent_at is None:
                        deliver(settings, contacts, attempt)
                    else:
                        confirm(settings, attempt)
            finally:
                if attempt.number == 1:
                    end_first_attempt(attempt)

        return DELIVER

    return register


def reconstruct_job(settings: Settings, options: Options, job: str, lease: Lease = NO_LEASE) -> None:
    """Make the QSM series of a job and queue its deliveries; then the other objects, and theirs.

    A job that is refused or fails queues the page that says so, where the site wants one. What the steps exchanged is
    kept when the worker is to continue.
    """
    try:
        loaded = _load(settings, job)
        wait_for_space(settings, job, loaded)
        _make(settings, options, job, loaded, lease)
    except JobFailedError as failure:
        get_logger().error("job.failed", job=job, code=failure.code, reason=failure.sentence)
        discard_work(_place(settings, job, lease))
        if failure.code != OTHERS_FAILED:
            _refuse(settings, job, (failure.code, failure.sentence), lease)
        raise


def _make(settings: Settings, options: Options, job: str, loaded: Job, lease: Lease) -> None:
    log, began = get_logger().bind(job=job), time.monotonic()
    log.info("job.started")

    def run(step: str, function: Callable[[], Any]) -> Any:  # noqa: ANN401 - a JSON value
        try:
            return durably(job, step, function)
        except JobFailedError as failure:
            if step != "others":
                raise
            raise JobFailedError(OTHERS_FAILED, failure.sentence) from None  # the map is there: no page instead of it

    def deliver(report: Report, part: str) -> None:
        if part == OTHER_PART:
            for name, reason in report["not_made"].items():
                log.warning("object.not_made", object=name, reason=reason)
            queue_deliveries(settings, job, loaded, report["series"], part)
            return
        log.info("job.reconstructed", images=len(report["files"]), seconds=round(time.monotonic() - began, 2))
        if settings.withhold_failed_maps and (failure := quality_failure(report)):
            raise failure
        queued = queue_deliveries(settings, job, loaded, report["series"], part)
        if wanted.others:
            wait_for_map(queued)

    wanted = Wanted(
        options=options,
        objects=objects_to_make(settings, loaded.calling_ae),
        profile=settings.profile,
        window_presets=settings.window_presets,
        keep_failed=True,  # in the spool, to be looked at
        pictures=True,
    )
    make(loaded, _place(settings, job, lease), wanted, run=run, deliver=deliver)


def _refuse(settings: Settings, job: str, refusal: tuple[str, str], lease: Lease) -> None:
    """Write the page that says why there is no map, and queue its deliveries; its own failure must not hide why."""
    if REFUSAL_PAGE not in settings.objects.names:
        return
    try:
        loaded = _load(settings, job)
        report = durably(job, "refuse", partial(write_refusal, loaded, _place(settings, job, lease), refusal))
    except JobFailedError as failure:
        get_logger().error("refusal.failed", job=job, code=failure.code, reason=failure.sentence)
    else:
        queue_deliveries(settings, job, loaded, report["series"], REFUSAL_PART)


def _load(settings: Settings, job: str) -> Job:
    return explained("load", partial(Job.load, _folder(settings, job), root=settings.spool))


def _folder(settings: Settings, job: str) -> Path:
    return settings.spool / "jobs" / job


def _place(settings: Settings, job: str, lease: Lease) -> Place:
    local = settings.local_folder and settings.local_folder / settings.executor / job
    return Place(folder=_folder(settings, job), local=local, lease=lease)
