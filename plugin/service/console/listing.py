"""The series as the list shows them: what the index, the jobs, the reports and one image of each say, joined."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, Literal

from dbos import DBOSClient, WorkflowStatus

from dicom_io.derived.product import FIRST_PART, OTHER_PART, REFUSAL_PART
from plugin.config.self_test import SELF_TEST
from plugin.config.settings import SENDER, Settings
from plugin.intake.completion import State
from plugin.intake.database.overview import NAME_LENGTH, Arrived, Wanted
from plugin.intake.index import AcquisitionRow, existing_index
from plugin.jobs.job import REPORT_FILE
from plugin.jobs.queue import DELIVER, RECONSTRUCT, attempt_of, client, delivery_name, delivery_of
from plugin.log import uid_hash
from plugin.service.console.descriptions import Description, describe_image
from plugin.service.console.progress import Progress, progress_of
from plugin.service.status import latest_attempts, not_done, shown_of, state_of

PER_PAGE: Final = 25

View = Literal["all", "working", "attention", "without-map"]

VIEWS: Final[Mapping[View, str]] = {
    "all": "All",
    "working": "In progress",
    "attention": "Needs attention",
    "without-map": "Not reconstructed",
}

_NOT_DONE: Final = 2000
_WITHOUT_MAP: Final = (State.INCOMPLETE, State.REFUSED, State.IGNORED, State.FAILED)
_PARTS: Final = (FIRST_PART, OTHER_PART, REFUSAL_PART)

Kind = Literal["ok", "busy", "wait", "bad", "none"]
"""How a state looks: done, being worked on, waiting for somebody, failed, of no concern."""

_RECEIVED: Final[Mapping[str, tuple[str, Kind]]] = {
    State.COLLECTING: ("receiving", "busy"),
    State.INCOMPLETE: ("incomplete", "wait"),
    State.REFUSED: ("not reconstructed", "none"),
    State.IGNORED: ("skipped", "none"),
    State.FAILED: ("failed", "bad"),
    State.QUEUED: ("complete", "busy"),
}

_DELIVERED: Final[Mapping[str, Kind]] = {"pending": "busy", "sent": "ok", "committed": "ok", "dead": "bad"}


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How far the delivery of a part of a job to a destination is."""

    name: str
    destination: str
    part: str
    state: str
    attempt: int
    reason: str
    queued_at: float
    changed_at: float

    @property
    def kind(self) -> Kind:
        """How its state looks."""
        return _DELIVERED[self.state]


@dataclass(frozen=True, kw_only=True)
class Series:
    """An acquisition and what became of it."""

    name: str
    row: AcquisitionRow
    arrived: Arrived | None
    description: Description
    state: str
    kind: Kind
    code: str
    reason: str
    progress: Progress | None
    deliveries: tuple[Delivery, ...]
    verdict: str
    changed_at: float


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A page of the list."""

    series: Sequence[Series]
    found: int
    page: int
    pages: int
    attention: int


def list_series(settings: Settings, view: View, words: str, page: int) -> Listing:
    """Return a page of the series, those that changed last first."""
    with closing(existing_index(settings)) as index, client(settings) as connected:
        left = not_done(connected, _NOT_DONE)
        wanted = _wanted(view, words, left)
        found = index.count_acquisitions(wanted)
        attention = (
            found if view == "attention" and not words else index.count_acquisitions(_wanted("attention", "", left))
        )
        pages = max(1, -(-found // PER_PAGE))
        page = min(max(page, 1), pages)
        names = index.acquisition_names(wanted, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
        rows, arrived = index.acquisitions_named(names), index.arrived(names)
        workflows = _workflows(settings, connected, rows, left)
        series = [
            joined(settings, connected, row, arrived.get(row.acquisition), workflows[row.acquisition[:NAME_LENGTH]])
            for row in rows
        ]
    return Listing(series=series, found=found, page=page, pages=pages, attention=attention)


def joined(
    settings: Settings,
    connected: DBOSClient,
    row: AcquisitionRow,
    arrived: Arrived | None,
    workflows: Iterable[WorkflowStatus],
) -> Series:
    """Join what is known of an acquisition; of its workflows, those of its last job and of the page in its place."""
    mine = list(workflows)
    job = next((one for one in mine if one.workflow_id == row.job), None)
    deliveries = tuple(
        delivery_from(one)
        for one in sorted(latest_attempts(one for one in mine if one.name == DELIVER), key=lambda one: one.workflow_id)
        if not row.job or one.workflow_id.startswith(f"{row.job}.") or state_of(one) == "dead"
    )
    report = read_report(settings, row.job)
    state, kind = _state(row, job, deliveries)
    shown: dict[str, Any] = shown_of(job) if job else {"code": "", "reason": "", "changed_at": 0.0}
    return Series(
        name=row.acquisition[:NAME_LENGTH],
        row=row,
        arrived=arrived,
        description=describe_image(settings.spool, arrived),
        state=state,
        kind=kind,
        code=shown["code"] or row.code,
        reason=next((one.reason for one in deliveries if one.state == "dead"), shown["reason"] or row.reason),
        progress=progress_of(settings, connected, job) if job and state == "reconstructing" else None,
        deliveries=deliveries,
        verdict=str(report.get("verdict", {}).get("level", "")),
        changed_at=max([row.changed_at, shown["changed_at"], *(one.changed_at for one in deliveries)]),
    )


def delivery_from(attempt: WorkflowStatus) -> Delivery:
    """Describe a delivery by its latest attempt."""
    name, number = attempt_of(attempt.workflow_id)
    destination, part = delivery_of(name)
    shown = shown_of(attempt)
    queued_at = float((attempt.attributes or {}).get("queued_at") or shown["created_at"])
    return Delivery(
        name=name,
        destination=destination,
        part=part,
        state=shown["state"],
        attempt=number,
        reason=shown["reason"] or shown["code"],
        queued_at=queued_at,
        changed_at=shown["changed_at"],
    )


def read_report(settings: Settings, job: str) -> dict[str, Any]:
    """Return the report of a job; empty if there is none yet."""
    try:
        found: dict[str, Any] = json.loads((settings.spool / "jobs" / job / REPORT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if job else {}


def _wanted(view: View, words: str, left: Sequence[WorkflowStatus]) -> Wanted:
    """Turn a view and words into what the index is asked for; ``left`` is what is not done or failed."""
    text = words.strip()
    asked = {"words": text, "uid": uid_hash(text) if text else ""}
    dead = {one.workflow_id[:NAME_LENGTH] for one in left if state_of(one) in ("failed", "dead")}
    if view == "working":
        return Wanted(names={one.workflow_id[:NAME_LENGTH] for one in left} - dead, **asked)
    if view == "attention":
        return Wanted(names=dead, **asked)
    return Wanted(states=_WITHOUT_MAP if view == "without-map" else (), **asked)


def _workflows(
    settings: Settings, connected: DBOSClient, rows: Sequence[AcquisitionRow], left: Sequence[WorkflowStatus]
) -> Mapping[str, list[WorkflowStatus]]:
    """Return the jobs of acquisitions and the latest attempts of their deliveries, by the acquisitions' names.

    Named one by one, which the database finds at once; it reads the whole table to find names by their beginning.
    """
    destinations = [one.name for one in settings.destinations] + [SENDER, SELF_TEST]
    names = [
        delivery_name(row.job, destination, part)
        for row in rows
        if row.job
        for destination in destinations
        for part in _PARTS
    ]
    jobs = [row.job for row in rows if row.job]
    found = connected.list_workflows(workflow_ids=jobs + names, load_input=False) if jobs else []
    shown = {row.acquisition[:NAME_LENGTH] for row in rows}
    known = {one.workflow_id: one for one in found}
    known |= {one.workflow_id: one for one in left if one.workflow_id[:NAME_LENGTH] in shown}
    by_name: dict[str, list[WorkflowStatus]] = defaultdict(list)
    for one in known.values():
        by_name[one.workflow_id[:NAME_LENGTH]].append(one)
    return by_name


def _state(row: AcquisitionRow, job: WorkflowStatus | None, deliveries: Sequence[Delivery]) -> tuple[str, Kind]:
    """Say in a word how far an acquisition is, and how that looks."""
    states = {one.state for one in deliveries}
    if "dead" in states:
        return "not delivered", "bad"
    if job is None or job.name != RECONSTRUCT:
        return _RECEIVED.get(row.state, (row.state, "none"))
    state = state_of(job)
    if state == "failed":
        return ("cancelled", "none") if job.status == "CANCELLED" else ("failed", "bad")
    if state == "queued":
        return "queued", "busy"
    if state == "running":
        return "reconstructing", "busy"
    if "pending" in states:
        return "delivering", "busy"
    return ("delivered", "ok") if states else ("reconstructed", "ok")
