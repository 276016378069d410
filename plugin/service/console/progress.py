"""How far a reconstruction is: the steps that were recorded, and how long they took in the latest jobs."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dbos import DBOSClient, WorkflowStatus

from plugin.config.settings import Settings
from plugin.jobs.queue import RECONSTRUCT

STEPS: Final[Mapping[str, str]] = {
    "read": "reading the images",
    "reconstruct": "total field and susceptibility",
    "write": "writing the QSM series",
    "others": "making the other objects",
}
"""Recorded steps of a job, in their order, in words."""

_COMPARED: Final = 10
_VALID_SECONDS: Final = 120.0
_ALMOST: Final = 0.98
_typical: dict[str, tuple[float, dict[str, float]]] = {}


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a job is.

    ``share`` compares with the latest jobs, and is None if there are none; ``since`` is when the step began.
    """

    step: str
    since: float
    share: float | None


def progress_of(settings: Settings, connected: DBOSClient, job: WorkflowStatus) -> Progress:
    """Say which step a running job is in."""
    done = {step["function_name"]: step for step in connected.list_workflow_steps(job.workflow_id)}
    ended = [step["completed_at_epoch_ms"] or 0 for step in done.values() if step["function_name"] in STEPS]
    began = (job.dequeued_at or job.created_at or 0) / 1000
    since = max([began, *(one / 1000 for one in ended)])
    current = next((name for name in STEPS if name not in done), "others")
    usual = _usual(settings, connected)
    share = None
    if sum(usual.values()) > 0:
        before = sum(usual.get(name, 0.0) for name in STEPS if name in done)
        now = min(time.time() - since, usual.get(current, 0.0))
        share = min(_ALMOST, (before + now) / sum(usual.values()))
    return Progress(step=STEPS[current], since=since, share=share)


def step_seconds(step: Mapping[str, Any]) -> float:
    """Return how long a recorded step took."""
    began, ended = step["started_at_epoch_ms"], step["completed_at_epoch_ms"]
    return max(0.0, (ended - began) / 1000) if began and ended else 0.0


def _usual(settings: Settings, connected: DBOSClient) -> dict[str, float]:
    """Return the median seconds of each step in the latest jobs that are done; looked up every two minutes."""
    key = str(settings.spool)
    noted_at, found = _typical.get(key, (-_VALID_SECONDS, {}))
    if time.monotonic() - noted_at < _VALID_SECONDS:
        return found
    latest = connected.list_workflows(
        name=RECONSTRUCT, status="SUCCESS", sort_desc=True, limit=_COMPARED, load_input=False, load_output=False
    )
    seconds: dict[str, list[float]] = defaultdict(list)
    for one in latest:
        for step in connected.list_workflow_steps(one.workflow_id):
            if step["function_name"] in STEPS:
                seconds[step["function_name"]].append(step_seconds(step))
    found = {name: statistics.median(values) for name, values in seconds.items()}
    _typical[key] = time.monotonic(), found
    return found
