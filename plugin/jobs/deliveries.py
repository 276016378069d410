"""Deliveries: which files of a job go to which destination, sent until all are there."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dbos import DBOS

from dicom_io.derived.product import FIRST_PART, OTHER_PART
from dicom_io.derived.products import QSM, REFUSAL_PAGE
from plugin.config.settings import SENDER, Retry, Settings
from plugin.errors import JobFailedError
from plugin.jobs.job import Job
from plugin.jobs.queue import DELIVER, delivery_name
from plugin.jobs.report import files_for
from plugin.jobs.steps import durably
from plugin.jobs.workflow import read_report
from plugin.log import get_logger
from plugin.network.entities import Address
from plugin.network.send import send_files

_LASTING_ATTEMPTS = 3
"""How often objects are sent to a peer that refuses the objects themselves."""
_MAP_FIRST_SECONDS = 60.0
"""How long other objects wait for the map's delivery: a peer that is slow or away holds them up no longer."""
_MAP_ALONE_SECONDS = 3.0
"""How long making the other objects waits for it: they would only slow down what the radiologist waits for."""
_POLL_SECONDS = 0.1


def objects_to_make(settings: Settings) -> tuple[str, ...]:
    """Return the objects that are switched on and go anywhere; where nobody is told, all stay in the spool."""
    wanted = [d.objects for d in settings.destinations]
    wanted += [settings.sender_objects] if settings.return_to_sender else []
    on = tuple(name for name in settings.objects.names if name != REFUSAL_PAGE)
    if not wanted or None in wanted:
        return on
    return tuple(name for name in on if name == QSM or any(name in (chosen or ()) for chosen in wanted))


def queue_deliveries(settings: Settings, job: str, loaded: Job, part: str) -> None:
    """Queue a part's delivery to every destination that gets something of it."""
    series = read_report(settings.spool / "jobs" / job)["series"]
    for name in sorted(destinations(settings, loaded)):
        if not part_for(settings, series, name, part):
            continue
        DBOS.enqueue_workflow_with_options(
            {
                "queue_name": DELIVER,
                "workflow_name": DELIVER,
                "workflow_id": delivery_name(job, name, part),
                "queue_partition_key": name,
            },
            job,
            name,
            part,
        )


def part_for(settings: Settings, series: Sequence[Mapping[str, Any]], destination: str, part: str) -> list[str]:
    """Choose the files of a part of a job that go to a destination."""
    wanted = {d.name: d.objects for d in settings.destinations} | {SENDER: settings.sender_objects}
    return files_for(series, wanted.get(destination), part)


def deliver_job(settings: Settings, job: str, destination: str, part: str = FIRST_PART) -> None:
    """Send a part of a job's series to a destination until it has all of it, for as long as the policy says."""
    folder = settings.spool / "jobs" / job
    log = get_logger().bind(job=job, destination=destination, part=part)
    names = deliverable(settings, folder, destination, part)
    lasting = 0
    for attempt, pause in enumerate((*pauses_seconds(settings.retry), None), start=1):
        first = part == OTHER_PART and attempt == 1
        send = partial(_send, settings, job, destination, names, after=delivery_name(job, destination) if first else "")
        sent = durably(job, f"deliver-to-{destination}", send)
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


def deliverable(settings: Settings, folder: Path, destination: str, part: str) -> list[str]:
    """Return the objects to deliver, as the job's report names them, relative to its folder.

    Raises
    ------
    JobFailedError
        There are none, or one is missing.
    """
    try:
        report = read_report(folder)
    except FileNotFoundError:
        report = {"files": []}
    # A report of an earlier version lists no series.
    names = part_for(settings, report["series"], destination, part) if "series" in report else report["files"]
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


def _send(settings: Settings, job: str, destination: str, names: list[str], *, after: str) -> dict[str, Any]:
    """Send files of a job once; the address is looked up anew, so a corrected configuration heals a delivery.

    Parameters
    ----------
    settings, job, destination, names
        What goes where.
    after
        Delivery that is to end before, if it does soon; empty for none.
    """
    _wait_for(after, _MAP_FIRST_SECONDS)
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


def let_the_map_go(settings: Settings, job: str, loaded: Job) -> None:
    """Wait until the map is at every destination, but not for long; within a step."""
    deadline = time.monotonic() + _MAP_ALONE_SECONDS
    for name in destinations(settings, loaded):
        _wait_for(delivery_name(job, name), deadline - time.monotonic())


def _wait_for(delivery: str, seconds: float) -> None:
    """Wait until a delivery has ended, well or not, but not for long; one that was never queued is not waited for."""
    deadline = time.monotonic() + seconds
    while delivery and time.monotonic() < deadline:
        status = DBOS.get_workflow_status(delivery)
        if status is None or status.status not in ("ENQUEUED", "PENDING"):
            return
        time.sleep(_POLL_SECONDS)
