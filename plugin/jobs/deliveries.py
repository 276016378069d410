"""Deliveries: which files of a job go to which destination, sent until all are there."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from dbos import DBOS, EnqueueOptions

from dicom_io.derived.product import FIRST_PART, OTHER_PART
from dicom_io.derived.products import QSM, REFUSAL_PAGE
from plugin.config.settings import SENDER, Retry, Settings
from plugin.errors import JobFailedError
from plugin.jobs.job import Job
from plugin.jobs.queue import DELIVER, ENDED, delivery_name
from plugin.jobs.report import files_for
from plugin.jobs.steps import durably
from plugin.log import get_logger
from plugin.network.entities import Address
from plugin.network.send import send_files

_LASTING_ATTEMPTS = 3
"""How often objects are sent to a peer that refuses the objects themselves."""
_MAP_FIRST_SECONDS = 60.0
"""How long other objects wait for the map's delivery: a peer that is slow or away holds them up no longer."""
_MAP_ALONE_SECONDS = 3.0
"""How long making the other objects waits for it: they would only slow down what the radiologist waits for."""


def objects_to_make(settings: Settings) -> tuple[str, ...]:
    """Return the objects that are switched on and that a destination gets; all where there is no destination."""
    wanted = [d.objects for d in settings.destinations]
    wanted += [settings.sender_objects] if settings.return_to_sender else []
    on = tuple(name for name in settings.objects.names if name != REFUSAL_PAGE)
    if not wanted or None in wanted:
        return on
    return tuple(name for name in on if name == QSM or any(name in (chosen or ()) for chosen in wanted))


def queue_deliveries(
    settings: Settings, job: str, loaded: Job, series: Sequence[Mapping[str, Any]], part: str
) -> list[str]:
    """Queue the delivery of a part of a report's series to every destination that gets some of it; return them."""
    queued = []
    for name in sorted(destinations(settings, loaded)):
        files = part_for(settings, series, name, part)
        if not files:
            continue
        gets_map = part == OTHER_PART and part_for(settings, series, name, FIRST_PART)
        after = delivery_name(job, name, FIRST_PART) if gets_map else ""
        queued.append(delivery_name(job, name, part))
        options: EnqueueOptions = {"queue_name": DELIVER, "workflow_name": DELIVER, "workflow_id": queued[-1]}
        options["queue_partition_key"] = name
        DBOS.enqueue_workflow_with_options(options, job, name, part, files, after)
    return queued


def part_for(settings: Settings, series: Sequence[Mapping[str, Any]], destination: str, part: str) -> list[str]:
    """Choose the files of a part of a job that go to a destination."""
    wanted = {d.name: d.objects for d in settings.destinations} | {SENDER: settings.sender_objects}
    return files_for(series, wanted.get(destination), part)


def wait_for_map(deliveries: Sequence[str]) -> None:
    """Wait in a workflow until the map's deliveries have ended, well or not, but not for long."""
    for delivery in deliveries:
        DBOS.get_event(delivery, ENDED, timeout_seconds=_MAP_ALONE_SECONDS / len(deliveries))


def deliver_job(settings: Settings, job: str, destination: str, part: str, names: list[str], after: str) -> None:
    """Send a part of a job's files to a destination until it has all of them, for as long as the policy says.

    It begins when the delivery ``after`` (empty for none) has ended, if that does soon.

    Raises
    ------
    JobFailedError
        Files are missing, or not all of them could be delivered.
    """
    if after:
        DBOS.get_event(after, ENDED, timeout_seconds=_MAP_FIRST_SECONDS)
    log = get_logger().bind(job=job, destination=destination, part=part)
    lasting = 0
    for attempt, pause in enumerate((*pauses_seconds(settings.retry), None), start=1):
        sent = durably(job, f"deliver-to-{destination}", partial(_send, settings, job, destination, names))
        names, lasting = sent["undelivered"], lasting + sent["lasting"]
        if not names:
            log.info("delivery.done", attempt=attempt, delivered=sent["delivered"], seconds=sent["seconds"])
            return
        if pause is None or lasting >= _LASTING_ATTEMPTS:
            log.error("delivery.failed", attempt=attempt, failed=len(names), reason=sent["reason"])
            raise JobFailedError("delivery-failed", f"{len(names)} objects are not at {destination}: {sent['reason']}")
        wait = round(pause * random.uniform(0.5, 1.5), 1)  # so that what failed together is not tried together
        reason = sent["reason"]
        log.warning("delivery.retried", attempt=attempt, failed=len(names), reason=reason, retry_in_seconds=wait)
        DBOS.sleep(wait)


def destinations(settings: Settings, job: Job) -> dict[str, Address]:
    """Where a job's series go, by name."""
    known = {
        d.name: Address(ae_title=d.ae_title, host=d.host, port=d.port, tls=settings.tls if d.tls else None)
        for d in settings.destinations
    }
    if settings.return_to_sender and job.calling_ae and job.address:
        port = settings.return_port(job.calling_ae)
        known[SENDER] = Address(
            ae_title=job.calling_ae, host=job.address, port=port, tls=settings.return_tls(job.calling_ae)
        )
    return known


def pauses_seconds(retry: Retry) -> Iterator[float]:
    """Pauses between attempts: doubling up to the longest, until the time is up."""
    pause, left = retry.first_seconds, retry.give_up_after_hours * 3600
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(2 * pause, retry.longest_seconds)


def _send(settings: Settings, job: str, destination: str, names: list[str]) -> dict[str, Any]:
    """Send files of a job once; the address is looked up each time, so a corrected configuration heals a delivery."""
    folder = settings.spool / "jobs" / job
    if missing := sum(not (folder / name).is_file() for name in names):
        sentence = f"{missing} of {len(names)} objects are missing in the job's folder; restore it, then retry"
        raise JobFailedError("nothing-to-deliver", sentence)
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
