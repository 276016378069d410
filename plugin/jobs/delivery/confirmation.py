"""Storage commitment (PS3.4 Annex J): whether a destination answers for the images of a delivery that was sent.

An attempt asks, or looks at the answer, and ends. The next one waits in the queue until the answer is there, or is
overdue. Images that the destination does not commit to are sent again. Where it never answers, the images that it
lists (C-FIND) stand in for the answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dbos import DBOS
from pydicom.filereader import read_file_meta_info
from pydicom.uid import generate_uid

from plugin.config.settings import Settings
from plugin.errors import JobFailedError
from plugin.jobs.delivery.attempts import files_and_peer, pause_seconds, queue_next
from plugin.jobs.delivery.deliveries import Attempt, wants_commitment
from plugin.jobs.delivery.requests import (
    Answer,
    answer_to,
    forget_request,
    forget_requests,
    is_answered,
    keep_answer,
    note_request,
)
from plugin.jobs.queue import COMMITMENT, COMMITTED
from plugin.jobs.steps import durably
from plugin.log import get_logger
from plugin.network.association import Failure, Trouble
from plugin.network.commitment import Instance, find_instances, request_commitment
from plugin.network.entities import Address

NOT_COMMITTED = "not-committed"
"""Code of a delivery that was given up because its destination says that it does not have the images."""

SAME_ASSOCIATION_SECONDS = 3.0
"""How long the association of a request stays open for the answer."""

ASKED_AGAIN_SECONDS = 86400.0
"""How long a delivery without any evidence stays "sent" before its destination is asked again."""

SENT = "sent"
"""Outcome of an attempt that need not ask any more: the site no longer wants commitment."""

Outcome = dict[str, Any]
"""Of an attempt, as JSON values: ``outcome`` (committed, sent or None), ``failed`` (files to be sent again),
``reason``, ``wait_seconds``, ``requests`` (made so far), ``sent_at`` (since when it is asked), ``at`` (when that was
found); the last two are ages of the delivery."""


def confirm(settings: Settings, attempt: Attempt) -> None:
    """Ask once whether the destination commits to what was sent; what it does not have is sent again.

    Raises
    ------
    JobFailedError
        Files are missing, or the destination has denied for too long that it has them.
    """
    log = get_logger().bind(job=attempt.job, destination=attempt.destination, part=attempt.part, attempt=attempt.number)
    found = durably(attempt.job, f"commitment-of-{attempt.destination}", partial(_ask, settings, attempt))
    if found["outcome"] is not None:
        log.info(f"delivery.{found['outcome']}", reason=found["reason"])
        if found["outcome"] == COMMITTED:
            ended = {"outcome": COMMITTED, "reason": found["reason"]}
            DBOS.update_workflow_attributes(DBOS.workflow_id or "", ended, merge=True)
    elif found["failed"]:
        _send_again(settings, attempt, found)
    else:
        log.info("commitment.awaited", reason=found["reason"], retry_in_seconds=found["wait_seconds"])
        following = replace(attempt, requests=found["requests"], sent_at=found["sent_at"])
        queue_next(following, COMMITMENT, found["reason"], found["at"], found["wait_seconds"])


def _send_again(settings: Settings, attempt: Attempt, found: Outcome) -> None:
    failed, reason, now = found["failed"], found["reason"], found["at"]
    since = now if attempt.uncommitted_at is None else attempt.uncommitted_at
    wait = pause_seconds(settings.retry, replace(attempt, begun_at=since), None, now)
    log = get_logger().bind(job=attempt.job, destination=attempt.destination, part=attempt.part, failed=len(failed))
    if wait is None:
        log.error("delivery.failed", reason=reason)
        raise JobFailedError(NOT_COMMITTED, f"{len(failed)} objects are not at {attempt.destination}: {reason}")
    log.warning("delivery.uncommitted", reason=reason, retry_in_seconds=wait)
    following = replace(
        attempt,
        names=failed,
        sent=[name for name in attempt.names if name not in failed],
        queued_at=time.time(),
        begun_at=now,
        sent_at=None,
        uncommitted_at=since,
    )
    queue_next(following, NOT_COMMITTED, reason, now, wait)


def _ask(settings: Settings, attempt: Attempt) -> Outcome:
    """Look at the answers to earlier requests, else ask; say what follows."""
    if not wants_commitment(settings, attempt.destination):
        forget_requests(settings.spool, attempt.delivery)
        return _outcome(attempt, outcome=SENT)
    paths, peer = files_and_peer(settings, attempt)
    instances = [_instance(path) for path in paths]
    names = {one.sop_instance_uid: name for one, name in zip(instances, attempt.names, strict=True)}
    now = attempt.age.seconds_now()
    since = now if attempt.sent_at is None else attempt.sent_at
    wait = pause_seconds(settings.retry, replace(attempt, begun_at=since), None, now)
    may_ask = attempt.requests < settings.commitment.requests and wait is not None
    refusal, answer = None, answer_to(settings.spool, attempt.delivery)
    if answer is None and may_ask:
        refusal = _request(settings, attempt, peer, instances)
        answer = answer_to(settings.spool, attempt.delivery)
    if answer is not None:
        forget_requests(settings.spool, attempt.delivery)
        return _judged(answer, names, attempt, wait or 0.0)
    if not may_ask or (refusal and refusal.trouble is Trouble.REFUSED):
        return _listed(settings, attempt, peer, paths, names, wait, refusal)
    assert wait is not None
    if refusal is None:
        wait = 60 * settings.commitment.answer_minutes
    asked = refusal is None or refusal.trouble is not Trouble.AWAY
    reason = refusal.reason if refusal else "the peer has not answered the request for storage commitment yet"
    return _outcome(attempt, wait_seconds=wait, reason=reason, requests=attempt.requests + asked)


def _request(settings: Settings, attempt: Attempt, peer: Address, instances: Sequence[Instance]) -> Failure | None:
    transaction = generate_uid(prefix=None)
    note_request(settings.spool, attempt.delivery, transaction)
    failure = request_commitment(
        instances,
        peer,
        calling_ae=settings.ae_title,
        transaction_uid=transaction,
        keep=partial(keep_answer, settings.spool),
        is_answered=partial(is_answered, settings.spool, attempt.delivery, transaction),
        patience_seconds=SAME_ASSOCIATION_SECONDS,
    )
    if failure is not None and failure.trouble is not Trouble.SILENT:
        forget_request(settings.spool, attempt.delivery, transaction)
    return failure


def _judged(answer: Answer, names: Mapping[str, str], attempt: Attempt, wait_seconds: float) -> Outcome:
    """Say what follows from an answer."""
    failed = [name for uid, name in names.items() if uid in answer.failed]
    if failed:
        reasons = ", ".join(sorted({f"0x{reason:04X}" for reason in answer.failed.values()}))
        return _outcome(attempt, failed=failed, reason=f"the peer does not commit to them: failure reason {reasons}")
    if names.keys() <= answer.committed:
        return _outcome(attempt, outcome=COMMITTED)
    reason = "the peer's answer does not name every image"
    return _outcome(attempt, wait_seconds=wait_seconds, reason=reason, requests=attempt.requests + 1)


def _listed(
    settings: Settings,
    attempt: Attempt,
    peer: Address,
    paths: Sequence[Path],
    names: Mapping[str, str],
    wait_seconds: float | None,
    refusal: Failure | None,
) -> Outcome:
    """Say what follows from the images that a peer lists which does not offer storage commitment, or never answers."""
    unanswered = refusal.reason if refusal else f"{peer} answered none of {attempt.requests} requests for commitment"
    listed = find_instances(paths, peer, calling_ae=settings.ae_title)
    if isinstance(listed, Failure):
        reason = f"{unanswered}; {listed.reason}"
        if listed.trouble is Trouble.REFUSED or wait_seconds is None:
            return _begun_again(attempt, reason)
        return _outcome(attempt, wait_seconds=wait_seconds, reason=reason)
    missing = [name for uid, name in names.items() if uid not in listed]
    if not missing:
        forget_requests(settings.spool, attempt.delivery)
        return _outcome(attempt, outcome=COMMITTED, reason=f"the peer lists all {len(names)} images (C-FIND)")
    reason = f"the peer lists {len(names) - len(missing)} of {len(names)} images (C-FIND)"
    if len(missing) == len(names):  # it may not list what we send, so sending again may be in vain
        return _begun_again(attempt, f"{unanswered}; {reason}")
    return _outcome(attempt, failed=missing, reason=reason)


def _begun_again(attempt: Attempt, reason: str) -> Outcome:
    """Leave a delivery as sent for a long time, then ask as if for the first time."""
    again = _outcome(attempt, wait_seconds=ASKED_AGAIN_SECONDS, reason=reason, requests=0)
    return {**again, "sent_at": again["at"] + ASKED_AGAIN_SECONDS}


def _outcome(
    attempt: Attempt,
    *,
    outcome: str | None = None,
    failed: Sequence[str] = (),
    reason: str = "",
    wait_seconds: float = 0.0,
    requests: int | None = None,
) -> Outcome:
    return {
        "outcome": outcome,
        "failed": list(failed),
        "reason": reason,
        "wait_seconds": wait_seconds,
        "requests": attempt.requests if requests is None else requests,
        "sent_at": attempt.sent_at,
        "at": attempt.age.seconds_now(),
    }


def _instance(path: Path) -> Instance:
    meta = read_file_meta_info(path)
    return Instance(str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID))
