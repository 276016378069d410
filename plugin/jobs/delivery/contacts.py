"""Which destinations are away: found out by one delivery, spared by the others, asked by C-ECHO until they are back."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from dbos import DBOSClient, WorkflowStatus

from plugin.config.settings import Settings
from plugin.errors import DeliveryError, UnreachableError
from plugin.jobs.delivery.deliveries import configured_destinations, destinations
from plugin.jobs.job import Job
from plugin.jobs.queue import DELIVER, PAUSE_SECONDS, attempt_of, client, delivery_of
from plugin.log import describe, get_logger
from plugin.network.association import Trouble
from plugin.network.entities import Address
from plugin.network.send import echo

_CLOCKS_DIFFER_SECONDS = 10.0
"""How far the clocks of several hosts may be apart before that is corrected."""


class Contacts:
    """What this process knows of its peers; what was found out counts until the next probe should have been."""

    def __init__(self, probe_seconds: float) -> None:
        self._valid_seconds = 2 * probe_seconds
        self._away: dict[Address, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def note(self, peer: Address, reason: str) -> None:
        """Note why a peer is away, or, with an empty reason, that it is there."""
        with self._lock:
            if reason:
                self._away[peer] = reason, time.monotonic()
            else:
                self._away.pop(peer, None)

    def why_away(self, peer: Address) -> str:
        """Say why a peer cannot be reached; empty if it may be there."""
        with self._lock:
            reason, noted_at = self._away.get(peer, ("", 0.0))
        return reason if time.monotonic() - noted_at < self._valid_seconds else ""


class Probes(threading.Thread):
    """Ask the destinations for which deliveries wait whether they are back, and release those deliveries."""

    def __init__(self, settings: Settings, contacts: Contacts) -> None:
        super().__init__(name="probes", daemon=True)
        self._settings = settings
        self._contacts = contacts
        self._senders: dict[str, Address | None] = {}
        self._ended = threading.Event()

    def stop(self) -> None:
        """End before the next round."""
        self._ended.set()

    def run(self) -> None:
        """Probe until stopped."""
        while not self._ended.wait(self._settings.retry.probe_seconds):
            try:
                with client(self._settings) as connected:
                    self.probe(connected)
            except Exception as error:  # the database may be away; the next round tries again
                get_logger().error("probe.failed", **describe(error))

    def probe(self, connected: DBOSClient) -> None:
        """Ask every destination for which deliveries wait, all at the same time: one that is silent delays no other."""
        delayed = connected.list_workflows(name=DELIVER, status="DELAYED", load_input=False, load_output=False)
        shorten_waits(connected, delayed)
        waiting = _waiting_for_contact(delayed)
        threads = [
            threading.Thread(target=self._probe_one, args=(connected, destination, names), daemon=True)
            for destination, names in waiting.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _probe_one(self, connected: DBOSClient, destination: str, attempts: list[str]) -> None:
        """Ask a destination; senders have one name and several addresses, and each of those is asked."""
        by_peer: dict[Address, list[str]] = defaultdict(list)
        for attempt in attempts:
            if (peer := self._peer_of(destination, attempt)) is not None:
                by_peer[peer].append(attempt)
        for peer, names in by_peer.items():
            reason = why_unreachable(peer, self._settings.ae_title)
            self._contacts.note(peer, reason)
            if not reason:
                get_logger().info("destination.back", destination=destination, deliveries=len(names))
                for name in names:
                    connected.set_workflow_delay(name, delay_seconds=0)

    def _peer_of(self, destination: str, attempt: str) -> Address | None:
        known = configured_destinations(self._settings)
        if destination in known:
            return known[destination]
        job = attempt.partition(".")[0]
        if job not in self._senders:
            self._senders[job] = self._sender_of(job, destination)
        return self._senders[job]

    def _sender_of(self, job: str, destination: str) -> Address | None:
        try:
            loaded = Job.load(self._settings.spool / "jobs" / job, root=self._settings.spool)
        except (OSError, ValueError, KeyError):  # the attempt itself says what is wrong
            return None
        return destinations(self._settings, loaded).get(destination)


def why_unreachable(peer: Address, calling_ae: str) -> str:
    """Say why a peer cannot be reached; empty if it can, though it may refuse the echo itself."""
    try:
        echo(peer, calling_ae=calling_ae)
    except UnreachableError as error:
        return str(error)
    except DeliveryError:
        return ""
    return ""


def shorten_waits(connected: DBOSClient, delayed: Sequence[WorkflowStatus]) -> None:
    """Let no attempt wait longer than it was to: where the system's clock was set back, it would."""
    now, shortened = time.time(), 0
    for one in delayed:
        pause_seconds = (one.attributes or {}).get(PAUSE_SECONDS)
        left_seconds = (one.delay_until_epoch_ms or 0) / 1000 - now
        if pause_seconds is not None and left_seconds > pause_seconds + _CLOCKS_DIFFER_SECONDS:
            connected.set_workflow_delay(one.workflow_id, delay_seconds=pause_seconds)
            shortened += 1
    if shortened:
        reason = "the system's clock was set back, or hosts' clocks differ; their waits begin again"
        get_logger().warning("clock.set_back", deliveries=shortened, reason=reason)


def _waiting_for_contact(delayed: Sequence[WorkflowStatus]) -> Mapping[str, list[str]]:
    """Return the attempts that wait because their destination was away, by destination."""
    waiting = defaultdict(list)
    for one in delayed:
        if (one.attributes or {}).get("waits") == Trouble.AWAY:
            waiting[delivery_of(attempt_of(one.workflow_id)[0])[0]].append(one.workflow_id)
    return waiting
