"""Attempts to deliver: each is a workflow that ends; a failed one queues the next, later and later.

So a wait holds no slot of its destination. Which files are left, how many attempts there were and since when travel in
the arguments; why the next attempt waits, and how long, stands in its attributes, for ``status`` and for the probes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from dbos import DBOS, EnqueueOptions

from plugin.audit import Participant, instances_transferred, record
from plugin.config.service_settings import Retry
from plugin.config.settings import Settings
from plugin.errors import JobFailedError
from plugin.jobs.delivery.age import Age
from plugin.jobs.delivery.contacts import Contacts
from plugin.jobs.delivery.deliveries import Attempt, destinations, wants_commitment
from plugin.jobs.job import Job
from plugin.jobs.queue import COMMITMENT, PAUSE_SECONDS
from plugin.jobs.steps import durably
from plugin.log import get_logger
from plugin.network.association import Trouble
from plugin.network.entities import Address
from plugin.network.send import send_files

DELIVERY_FAILED = "delivery-failed"
"""Code of a delivery that was given up: its dead letter stays in the spool, and ``retry`` sends it."""


def deliver(settings: Settings, contacts: Contacts, attempt: Attempt) -> None:
    """Send files once; what the destination does not have is queued again, for as long as the policy says.

    Raises
    ------
    JobFailedError
        Files are missing, or the delivery is given up.
    """
    log = get_logger().bind(job=attempt.job, destination=attempt.destination, part=attempt.part, attempt=attempt.number)
    send = partial(_send, settings, contacts, attempt)
    sent = durably(attempt.job, f"deliver-to-{attempt.destination}", send)
    left, trouble, reason = sent["undelivered"], sent["trouble"], sent["reason"]
    age_seconds = sent.get("age_seconds", 0.0)  # an earlier version recorded none: for that one, time begins again
    there = [*attempt.sent, *(name for name in attempt.names if name not in left)]
    if not left:
        log.info("delivery.done", delivered=sent["delivered"], seconds=sent["seconds"])
        if sent.get("commitment"):
            asking = replace(attempt, names=there, sent=[], sent_at=age_seconds, requests=0, refused_at=None)
            queue_next(asking, COMMITMENT, "commitment is to be asked for", age_seconds, 0.0)
        return
    since = age_seconds if attempt.refused_at is None else attempt.refused_at
    refused_at = since if trouble == Trouble.REFUSED else None
    wait = pause_seconds(settings.retry, attempt, refused_at, age_seconds)
    if wait is None:
        log.error("delivery.failed", failed=len(left), reason=reason)
        raise JobFailedError(DELIVERY_FAILED, f"{len(left)} objects are not at {attempt.destination}: {reason}")
    wait = round(wait * sent["jitter"], 1)
    log.warning("delivery.retried", failed=len(left), reason=reason, state=trouble, retry_in_seconds=wait)
    following = replace(attempt, names=left, sent=there, refused_at=refused_at)
    queue_next(following, trouble, reason, age_seconds, wait)


def queue_next(attempt: Attempt, waits: str, reason: str, age_seconds: float, pause_seconds: float) -> None:
    """Queue an attempt that follows, for a delivery that is now so old."""
    age = Age(seconds=age_seconds, pause_seconds=pause_seconds)
    following = replace(attempt, number=attempt.number + 1, age=age)
    attributes = {"waits": waits, "reason": reason, "queued_at": attempt.queued_at, PAUSE_SECONDS: pause_seconds}
    options: EnqueueOptions = {**following.options, "attributes": attributes}
    if pause_seconds:
        options["delay_seconds"] = pause_seconds
    DBOS.enqueue_workflow_with_options(options, asdict(following))


def pause_seconds(retry: Retry, attempt: Attempt, refused_at: float | None, age_seconds: float) -> float | None:
    """Pause before the next attempt: doubling up to the longest, the last one at the limit; None when it is over."""
    limit = attempt.begun_at + 3600 * retry.give_up_after_hours
    if refused_at is not None:
        limit = min(limit, refused_at + 3600 * retry.give_up_refused_after_hours)
    if age_seconds >= limit:
        return None
    doubled = retry.first_seconds * 2.0 ** min(attempt.number - 1, 30)
    return min(doubled, retry.longest_seconds, limit - age_seconds)


def _send(settings: Settings, contacts: Contacts, attempt: Attempt) -> dict[str, Any]:
    """Send files of a job once."""
    folder = settings.spool / "jobs" / attempt.job
    paths, peer = files_and_peer(settings, attempt)
    outcome = _send_unless_away(settings, contacts, peer, paths)
    undelivered = [str(path.relative_to(folder)) for path in outcome.pop("undelivered")]
    return {
        **outcome,
        "undelivered": undelivered,
        "commitment": wants_commitment(settings, attempt.destination),
        "age_seconds": attempt.age.seconds_now(),
        "jitter": random.uniform(0.5, 1.0),  # so that what failed together is not tried together
    }


def files_and_peer(settings: Settings, attempt: Attempt) -> tuple[list[Path], Address]:
    """Return the files of an attempt, and where they go.

    The address is looked up each time, so a corrected configuration heals a delivery.

    Raises
    ------
    JobFailedError
        Files are missing, or the destination is.
    """
    folder, names = settings.spool / "jobs" / attempt.job, attempt.names
    if missing := sum(not (folder / name).is_file() for name in names):
        sentence = f"{missing} of {len(names)} objects are missing in the job's folder; restore it, then retry"
        raise JobFailedError("nothing-to-deliver", sentence)
    peer = destinations(settings, Job.load(folder, root=settings.spool)).get(attempt.destination)
    if peer is None:
        sentence = f"destination {attempt.destination} is no longer in the configuration; add it again, then retry"
        raise JobFailedError("no-destination", sentence)
    return [folder / name for name in names], peer


def _send_unless_away(settings: Settings, contacts: Contacts, peer: Address, paths: list[Path]) -> dict[str, Any]:
    """Send files, unless the destination was found to be away a moment ago."""
    if reason := contacts.why_away(peer):
        return {"undelivered": paths, "delivered": 0, "reason": reason, "trouble": str(Trouble.AWAY), "seconds": 0.0}
    sent = send_files(paths, peer, calling_ae=settings.ae_title)
    contacts.note(peer, sent.reason if sent.trouble is Trouble.AWAY else "")
    if sent.delivered:
        _audit(settings, peer, sent.delivered)
    return {
        "undelivered": list(sent.undelivered),
        "delivered": len(sent.delivered),
        "reason": sent.reason,
        "trouble": sent.trouble and str(sent.trouble),
        "seconds": round(sent.seconds, 2),
    }


def _audit(settings: Settings, peer: Address, delivered: Sequence[Path]) -> None:
    if settings.audit.to != "nowhere":
        we, they = Participant(ae_title=settings.ae_title), Participant(ae_title=peer.ae_title, host=peer.host)
        message = instances_transferred(settings, delivered, source=we, destination=they, received=False)
        record(settings, message)
