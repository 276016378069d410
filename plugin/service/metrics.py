"""What Prometheus is told: read from the spool, the index and the jobs when it asks; free of patient data."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from dbos import WorkflowStatus
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from plugin.config.settings import Settings
from plugin.intake.index import existing_index
from plugin.jobs.job import REPORT_FILE
from plugin.jobs.queue import DELIVER, RECONSTRUCT, attempt_of, client, delivery_of
from plugin.network.rejections import rejections_in
from plugin.network.tls import certificate_ends_at
from plugin.service.health import processes
from plugin.service.process import ENGINES_FILE
from plugin.service.selftest import last_result
from plugin.service.status import latest_attempts, not_done, shown_of, state_of

_COUNTED = 20_000
"""How many jobs and deliveries that are not done are counted at most."""

_REPORTS = 50
"""How many of the latest jobs the seconds of their steps are taken from."""


class ServiceCollector(Collector):
    """Collects all figures at each scrape."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def describe(self) -> Iterable[Metric]:
        """Name nothing before the first scrape: there may be no index yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every figure."""
        settings = self._settings
        yield from _intake(settings)
        with client(settings) as connected:
            unfinished = not_done(connected, _COUNTED)
            latest = connected.list_workflows(
                name=RECONSTRUCT, status="SUCCESS", sort_desc=True, limit=_REPORTS, load_input=False, load_output=False
            )
        yield from _jobs([one for one in unfinished if one.name == RECONSTRUCT])
        yield from _deliveries(latest_attempts(one for one in unfinished if one.name == DELIVER))
        yield _failures(unfinished)
        yield _stages(settings.spool, [one.workflow_id for one in latest])
        yield from _machine(settings)
        yield from _self_test(settings.spool)
        yield from _door(settings)


def _intake(settings: Settings) -> Iterator[Metric]:
    with closing(existing_index(settings)) as index:
        images, states = index.counts(), index.acquisition_states()
    for name, text in (
        ("received", "Images received and acknowledged."),
        ("ignored", "Images that cannot be used."),
        ("conflicts", "Objects under the UID of another image."),
    ):
        yield _gauge(f"qsm_images_{name}", text, [((), images[name])])
    yield _gauge("qsm_images_unread", "Images that the assembler has not read yet.", [((), images["unread"])])
    waiting = [(("state", row["state"]), row["acquisitions"]) for row in states]
    yield _gauge("qsm_acquisitions", "Acquisitions by state.", waiting)
    ages = [((), time.time() - row["oldest_at"]) for row in states if row["state"] == "collecting"]
    yield _gauge("qsm_acquisition_oldest_seconds", "Age of the oldest acquisition that still waits.", ages)


def _jobs(jobs: Sequence[WorkflowStatus]) -> Iterator[Metric]:
    counts = Counter(state_of(one) for one in jobs)
    named = [(("state", state), counts[state]) for state in ("queued", "running", "failed")]
    yield _gauge("qsm_jobs", "Reconstructions that are not done, by state.", named)
    began = [one.created_at or 0 for one in jobs if state_of(one) != "failed"]
    ages = [((), time.time() - min(began) / 1000)] if began else []
    yield _gauge("qsm_job_oldest_seconds", "Age of the oldest reconstruction that is not done.", ages)


def _deliveries(attempts: Sequence[WorkflowStatus]) -> Iterator[Metric]:
    by_destination: dict[str, list[WorkflowStatus]] = defaultdict(list)
    for one in attempts:
        by_destination[delivery_of(attempt_of(one.workflow_id)[0])[0]].append(one)
    waiting, oldest, uncommitted, dead = [], [], [], []
    for destination, ones in by_destination.items():
        label = ("destination", destination)
        counts = Counter(state_of(one) for one in ones)
        began = [_queued_at(one) for one in ones if state_of(one) == "pending"]
        waiting.append((label, counts["pending"]))
        oldest += [(label, time.time() - min(began))] if began else []
        uncommitted.append((label, counts["sent"]))
        dead.append((label, counts["dead"]))
    yield _gauge("qsm_deliveries_waiting", "Deliveries that are not sent.", waiting)
    yield _gauge("qsm_delivery_oldest_seconds", "Age of the oldest delivery that is not sent.", oldest)
    text = "Deliveries that were sent, and that their destination is to commit to and has not."
    yield _gauge("qsm_deliveries_uncommitted", text, uncommitted)
    yield _gauge("qsm_dead_letters", "Deliveries that were given up; qsm-plugin retry sends them again.", dead)


def _queued_at(attempt: WorkflowStatus) -> float:
    return float((attempt.attributes or {}).get("queued_at") or (attempt.created_at or 0) / 1000)


def _failures(workflows: Sequence[WorkflowStatus]) -> Metric:
    codes = Counter(shown_of(one)["code"] for one in workflows if state_of(one) in ("failed", "dead"))
    return _gauge("qsm_failures", "Failed jobs and deliveries, by code.", [(("code", c), n) for c, n in codes.items()])


def _stages(spool: Path, jobs: Sequence[str]) -> Metric:
    """Return the seconds that the steps of the latest jobs took: median and 95th percentile."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        for stage, value in _report(spool, job).get("seconds", {}).items():
            seconds[stage].append(float(value))
    family = GaugeMetricFamily("qsm_stage_seconds", "Seconds a step takes.", labels=["stage", "quantile"])
    for stage, values in seconds.items():
        centiles = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else 99 * values
        for quantile in (50, 95):
            family.add_metric([stage, f"0.{quantile}"], centiles[quantile - 1])
    return family


def _machine(settings: Settings) -> Iterator[Metric]:
    usage = shutil.disk_usage(settings.spool)
    yield _gauge("qsm_disk_free_bytes", "Free space on the spool's disk.", [((), usage.free)])
    yield _gauge("qsm_disk_total_bytes", "Size of the spool's disk.", [((), usage.total)])
    engines = _json(settings.host_folder / ENGINES_FILE) or []
    ready = [(("engine", one["name"]), float(one["state"] == "ready")) for one in engines]
    yield _gauge("qsm_engine_ready", "Whether an inference engine runs here.", ready)
    found = processes(settings.host_folder)
    running = [(("process", one["role"]), float(one["running"])) for one in found]
    yield _gauge("qsm_process_running", "Whether a process of the service runs.", running)
    deaths = CounterMetricFamily("qsm_process_deaths", "Ends of a process that nobody asked for.", labels=["process"])
    for one in found:
        deaths.add_metric([one["role"]], one["deaths"])
    yield deaths


def _door(settings: Settings) -> Iterator[Metric]:
    text = "Connections, associations and images turned away since the receiver started."
    rejected = CounterMetricFamily("qsm_rejections", text, labels=["kind", "reason"])
    for kind, reason, count in rejections_in(settings.host_folder):
        rejected.add_metric([kind, reason], count)
    yield rejected
    try:
        ends = [((), certificate_ends_at(settings.tls.certificate))] if settings.tls else []
    except (OSError, ValueError):  # it is being replaced
        ends = []
    yield _gauge("qsm_certificate_end_timestamp_seconds", "When our certificate ends.", ends)


def _self_test(spool: Path) -> Iterator[Metric]:
    last = last_result(spool)
    passed, at = ([((), float(last.passed))], [((), last.at)]) if last else ([], [])
    yield _gauge("qsm_self_test_passed", "Whether the last self-test was passed.", passed)
    yield _gauge("qsm_self_test_timestamp_seconds", "When it ended.", at)


def _gauge(name: str, text: str, values: Sequence[tuple[tuple[()] | tuple[str, str], float]]) -> Metric:
    """Make a gauge of values, each with no label or with one."""
    label = next((key for key, _ in values if key), ())
    family = GaugeMetricFamily(name, text, labels=[label[0]] if label else [])
    for key, value in values:
        family.add_metric([key[1]] if key else [], value)
    return family


def _report(spool: Path, job: str) -> dict[str, Any]:
    return _json(spool / "jobs" / job / REPORT_FILE) or {}


def _json(path: Path) -> Any:  # noqa: ANN401 - a JSON value
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
