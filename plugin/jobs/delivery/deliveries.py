"""Deliveries: which files of a job go to which destination."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dbos import DBOS, EnqueueOptions

from dicom_io.derived.product import FIRST_PART, OTHER_PART
from dicom_io.derived.products import QSM, REFUSAL_PAGE
from plugin.config.self_test import SELF_TEST, SELF_TEST_AE
from plugin.config.settings import SENDER, Settings
from plugin.jobs.delivery.age import Age
from plugin.jobs.job import Job
from plugin.jobs.queue import DELIVER, ENDED, PAUSE_SECONDS, attempt_name, delivery_name
from plugin.jobs.report import files_for
from plugin.network.entities import Address

SELF_TEST_FILE = "self-test-port.json"
"""In the spool, while a self-test runs: where its storage SCP listens."""

_MAP_FIRST_SECONDS = 60.0
"""How long other objects wait for the first attempt to deliver the map: a slow peer holds them up no longer."""
_MAP_ALONE_SECONDS = 3.0
"""How long making the other objects waits for it: they would only slow down what the radiologist waits for."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to send files of a job to a destination, or to have it commit to them.

    Parameters
    ----------
    queued_at
        When the delivery was queued, in seconds since the epoch: for people.
    age
        How old the delivery is. The times that follow are ages of it in seconds.
    begun_at, refused_at, uncommitted_at
        Since when the files are being sent; since when the destination has refused them, and since when it has denied
        that it has them.
    sent
        Files that earlier attempts have sent, to be committed to together with ``names``.
    sent_at
        When all were sent, or asking began again: this attempt asks for commitment; None while there are some to send.
    requests
        How often commitment was asked for.
    """

    job: str
    destination: str
    part: str
    names: list[str]
    queued_at: float
    number: int = 1
    age: Age = field(default_factory=Age)
    begun_at: float = 0.0
    refused_at: float | None = None
    sent: list[str] = field(default_factory=list)
    sent_at: float | None = None
    uncommitted_at: float | None = None
    requests: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Attempt:
        """Return the attempt that the argument of its workflow describes.

        One that an earlier version queued gives its times by the system's clock: for that one, time begins again.
        """
        asks = values.get("sent_at") is not None
        again = {"refused_at": None, "uncommitted_at": None, "sent_at": 0.0 if asks else None}
        said = values if "age" in values else {**values, **again, "age": {}}
        return cls(**{**_known(cls, said), "age": Age(**_known(Age, said["age"]))})

    @property
    def delivery(self) -> str:
        """Name of the delivery."""
        return delivery_name(self.job, self.destination, self.part)

    @property
    def options(self) -> EnqueueOptions:
        """How its workflow is queued; its argument is the attempt as a dictionary."""
        return {
            "queue_name": DELIVER,
            "workflow_name": DELIVER,
            "workflow_id": attempt_name(self.delivery, self.number),
            "queue_partition_key": self.destination,
        }


def _known(kind: type[Attempt] | type[Age], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a class's fields; a later version may say more."""
    return {one.name: said[one.name] for one in fields(kind) if one.name in said}


def objects_to_make(settings: Settings, calling_ae: str) -> tuple[str, ...]:
    """Return the objects that are switched on and that some destination gets; without destinations, all of them."""
    if calling_ae == SELF_TEST_AE:
        return (QSM,)
    wanted = [d.objects for d in settings.destinations]
    wanted += [settings.sender_objects] if settings.return_to_sender else []
    on = tuple(name for name in settings.objects.names if name != REFUSAL_PAGE)
    if not wanted or None in wanted:
        return on
    return tuple(name for name in on if name == QSM or any(name in (chosen or ()) for chosen in wanted))


def queue_deliveries(
    settings: Settings, job: str, loaded: Job, series: Sequence[Mapping[str, Any]], part: str
) -> list[str]:
    """Queue the delivery of a part of a report's series to every destination that gets some of it; return them.

    Other objects wait for the map's first attempt, which releases them.
    """
    queued = []
    for name in sorted(destinations(settings, loaded)):
        files = part_for(settings, series, name, part)
        if not files:
            continue
        attempt = Attempt(job=job, destination=name, part=part, names=files, queued_at=time.time())
        options = attempt.options
        gets_map = part == OTHER_PART and part_for(settings, series, name, FIRST_PART)
        if gets_map and not DBOS.get_event(delivery_name(job, name, FIRST_PART), ENDED, timeout_seconds=0):
            options["delay_seconds"] = _MAP_FIRST_SECONDS
            options["attributes"] = {PAUSE_SECONDS: _MAP_FIRST_SECONDS}
        DBOS.enqueue_workflow_with_options(options, asdict(attempt))
        queued.append(attempt.delivery)
    return queued


def end_first_attempt(attempt: Attempt) -> None:
    """Say that the first attempt of a delivery has ended, well or not; release what waited for it."""
    DBOS.set_event(ENDED, True)
    if attempt.part == FIRST_PART:
        DBOS.set_workflow_delay(delivery_name(attempt.job, attempt.destination, OTHER_PART), delay_seconds=0)


def wait_for_map(deliveries: Sequence[str]) -> None:
    """Wait in a workflow until the first attempts to deliver the map have ended, well or not, but not for long."""
    for delivery in deliveries:
        DBOS.get_event(delivery, ENDED, timeout_seconds=_MAP_ALONE_SECONDS / len(deliveries))


def part_for(settings: Settings, series: Sequence[Mapping[str, Any]], destination: str, part: str) -> list[str]:
    """Choose the files of a part of a job that go to a destination."""
    wanted = {d.name: d.objects for d in settings.destinations} | {SENDER: settings.sender_objects}
    return files_for(series, wanted.get(destination), part)


def destinations(settings: Settings, job: Job) -> dict[str, Address]:
    """Where a job's series go, by name."""
    if job.calling_ae == SELF_TEST_AE:
        return _self_test_destination(settings)
    known = configured_destinations(settings)
    if settings.return_to_sender and job.calling_ae and job.address:
        port = settings.return_port(job.calling_ae)
        tls = settings.return_tls(job.calling_ae)
        known[SENDER] = Address(ae_title=job.calling_ae, host=job.address, port=port, tls=tls)
    return known


def wants_commitment(settings: Settings, destination: str) -> bool:
    """Say whether a destination is to commit to what it was sent."""
    return any(one.commitment for one in settings.destinations if one.name == destination)


def _self_test_destination(settings: Settings) -> dict[str, Address]:
    """Return where the running self-test waits for its map; nowhere if it has ended."""
    try:
        port = json.loads((settings.spool / SELF_TEST_FILE).read_text(encoding="utf-8"))["port"]
    except (OSError, ValueError):
        return {}
    return {SELF_TEST: Address(ae_title=SELF_TEST_AE, host="127.0.0.1", port=port)}


def configured_destinations(settings: Settings) -> dict[str, Address]:
    """Destinations of every job, by name."""
    return {
        d.name: Address(ae_title=d.ae_title, host=d.host, port=d.port, tls=settings.tls if d.tls else None)
        for d in settings.destinations
    }
