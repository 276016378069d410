"""One series with all that is known of it: what happened when, its figures, why there is no map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from dbos import DBOSClient, WorkflowStatus

from dicom_io.protocol.check import Finding
from plugin.config.settings import Settings
from plugin.errors import PluginError
from plugin.intake.completion import State
from plugin.intake.database.overview import Wanted
from plugin.intake.explain import explain_row
from plugin.intake.index import AcquisitionRow, existing_index
from plugin.jobs.queue import RECONSTRUCT, REFUSE, TELL, client
from plugin.service.console.records.listing import Kind, Series, joined, read_report
from plugin.service.console.records.progress import STEPS, step_seconds
from plugin.service.console.records.protocols import findings_of
from plugin.service.status import UNFINISHED, shown_of, state_of

_REPORTED: Final = ("total field", "inversion", "quality")
"""Stages of the reconstruction whose seconds the report holds, in their order."""

_STAGES: Final = {
    "read": "Images read",
    "total field": "Total field worked out",
    "inversion": "Field inverted to susceptibility",
    "quality": "Map checked against the field",
    "reconstruct": "Total field and susceptibility worked out",
    "write": "QSM series written",
    "others": "Other objects written",
}

_EMPTY: Final[Mapping[str, Any]] = {
    "verdict": None,
    "expected_error": None,
    "figures": {},
    "warnings": [],
    "not_made": {},
    "provenance": {},
    "series": [],
}
"""What a report says that is not there yet, or is of a page."""

_DELIVERED: Final = {
    "pending": "waits for {0}",
    "sent": "Delivered to {0}",
    "committed": "Delivered to {0}, which has committed to it",
    "dead": "Not delivered to {0}",
}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a series; ``seconds`` is how long it took, where that is known."""

    at: float
    what: str
    more: str = ""
    seconds: float | None = None
    kind: Kind = "ok"


@dataclass(frozen=True, kw_only=True)
class Detail:
    """One series.

    ``report`` is of its last job, or of its failed map; ``explained`` is what ``qsm-plugin explain`` says, and
    ``skipped`` why images of the study were skipped.
    ``protocol`` are the findings on the protocol; None where it was not judged (yet).
    ``can_retry`` and ``can_cancel`` name those of the ``jobs`` with which that may be done.
    """

    series: Series
    events: Sequence[Event]
    report: Mapping[str, Any]
    explained: Mapping[str, Any]
    skipped: Sequence[Mapping[str, Any]]
    protocol: Sequence[Finding] | None
    jobs: Sequence[str]
    can_retry: Sequence[str]
    can_cancel: Sequence[str]
    live: bool


def detail_of(settings: Settings, name: str) -> Detail:
    """Return one series by the beginning of its acquisition's name.

    Raises
    ------
    PluginError
        There is no such series.
    """
    with closing(existing_index(settings)) as index, client(settings) as connected:
        rows = index.acquisitions_named(index.acquisition_names(Wanted(names=[name]), limit=1, offset=0))
        if not rows:
            raise PluginError("there is no such series; it may have been removed meanwhile")
        row = rows[0]
        arrived, skipped = index.arrived([row.acquisition]).get(row.acquisition), index.skipped_in(row.study)
        judged = index.protocols([row.acquisition]).get(row.acquisition)
        workflows = connected.list_workflows(workflow_id_prefix=f"{name}-", load_input=False)
        series = joined(settings, connected, row, arrived, workflows)
        report = read_report(settings, row.job) or _report_of_page(settings, workflows)
        made = [one for one in workflows if one.name in (RECONSTRUCT, REFUSE, TELL)]
        events = [*_received(series), *_worked(connected, row, made, report), *_sent(series)]
    failed = {one.workflow_id.partition(".")[0] for one in workflows if state_of(one) in ("failed", "dead")}
    again = {one.name.partition(".")[0] for one in series.deliveries if one.state == "dead"}
    jobs = {one.workflow_id.partition(".")[0] for one in workflows}
    ended = {one.workflow_id for one in made if state_of(one) == "failed"}
    open_ = {one.workflow_id.partition(".")[0] for one in workflows if one.status in UNFINISHED}
    return Detail(
        series=series,
        events=sorted(events, key=lambda event: event.at),
        report={**_EMPTY, **(report.get("failed_map") or report)},
        explained=explain_row(row),
        skipped=skipped,
        protocol=findings_of(judged) if judged else None,
        jobs=sorted(jobs),
        can_retry=sorted(failed & (again | ended)),
        can_cancel=sorted(open_),
        live=bool(open_) or row.state == State.COLLECTING,
    )


def _report_of_page(settings: Settings, workflows: Sequence[WorkflowStatus]) -> dict[str, Any]:
    """Return the report of the page that says why there is no map."""
    pages = [one.workflow_id for one in workflows if one.name == REFUSE]
    return read_report(settings, pages[-1]) if pages else {}


def _received(series: Series) -> Iterator[Event]:
    row, came = series.row, series.arrived
    if came is not None:
        sender = f"by {came.calling_ae} at {came.address}" if came.calling_ae else ""
        yield Event(at=came.first_at, what="First image received", more=sender)
        yield Event(at=came.last_at, what="Last image received", more=f"{row.images} images")
    if row.state == State.QUEUED:
        yield Event(at=row.changed_at, what="Complete", more=row.evidence)
    elif row.state != State.COLLECTING:
        kind: Kind = "bad" if row.state == State.FAILED else "wait"
        yield Event(at=row.changed_at, what=series.state.capitalize(), more=row.reason, kind=kind)


def _worked(
    connected: DBOSClient, row: AcquisitionRow, made: Sequence[WorkflowStatus], report: Mapping[str, Any]
) -> Iterator[Event]:
    for one in made:
        shown, state = shown_of(one), state_of(one)
        if one.name != RECONSTRUCT:
            yield Event(at=shown["created_at"], what="Page written that says why there is no map", more=one.workflow_id)
            continue
        queued_at = max(shown["created_at"], row.changed_at if one.workflow_id == row.job else 0.0)
        yield Event(at=queued_at, what="Queued", more=one.workflow_id, kind="none")
        for step in connected.list_workflow_steps(one.workflow_id):
            yield from _step(step, report.get("seconds", {}))
        if state == "failed":
            yield Event(at=shown["changed_at"], what="Failed", more=shown["reason"] or shown["code"], kind="bad")


def _step(step: Mapping[str, Any], seconds: Mapping[str, float]) -> Iterator[Event]:
    """Describe a recorded step; the reconstruction by its stages, once the report says how long each took."""
    name, took = step["function_name"], step_seconds(step)
    if name not in STEPS or not step["completed_at_epoch_ms"] or step["error"]:
        return
    ended = step["completed_at_epoch_ms"] / 1000
    stages = [stage for stage in _REPORTED if stage in seconds] if name == "reconstruct" else []
    at = ended - took
    for stage in stages:
        at = min(ended, at + seconds[stage])
        yield Event(at=at, what=_STAGES[stage], seconds=seconds[stage])
    if not stages:
        yield Event(at=ended, what=_STAGES[name], seconds=took)


def _sent(series: Series) -> Iterator[Event]:
    for one in series.deliveries:
        what = _DELIVERED[one.state].format(one.destination)
        tries = f"attempt {one.attempt}" if one.attempt > 1 else ""
        more = "; ".join(text for text in (one.part, tries, one.reason) if text)
        yield Event(at=one.changed_at, what=what[0].upper() + what[1:], more=more, kind=one.kind)
