"""Answers to requests for commitment: as soon as one is there, the attempt that waits for it goes on."""

from __future__ import annotations

import threading

from dbos import DBOSClient

from plugin.config.settings import Settings
from plugin.jobs.delivery.requests import answered_deliveries, forget_requests
from plugin.jobs.queue import DELIVER, attempt_of, client
from plugin.log import describe, get_logger

_POLL_SECONDS = 1.0


class Answers(threading.Thread):
    """Release the deliveries for which answers have arrived."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="answers", daemon=True)
        self._settings = settings
        self._ended = threading.Event()

    def stop(self) -> None:
        """End before the next round."""
        self._ended.set()

    def run(self) -> None:
        """Look for answers until stopped."""
        while not self._ended.wait(_POLL_SECONDS):
            try:
                if answered := answered_deliveries(self._settings.spool):
                    with client(self._settings) as connected:
                        self.release(connected, answered)
            except Exception as error:  # the database may be away; the next round tries again
                get_logger().error("commitment.failed", **describe(error))

    def release(self, connected: DBOSClient, deliveries: set[str]) -> None:
        """Let the waiting attempts look at the answers; forget those to deliveries that are over."""
        for delivery in deliveries:
            attempts = connected.list_workflows(
                workflow_id_prefix=delivery, name=DELIVER, load_input=False, load_output=False
            )
            mine = [one for one in attempts if attempt_of(one.workflow_id)[0] == delivery]
            latest = max(mine, key=lambda one: attempt_of(one.workflow_id)[1], default=None)
            if latest is not None and latest.status == "DELAYED":
                connected.set_workflow_delay(latest.workflow_id, delay_seconds=0)
            elif latest is None or latest.status not in ("ENQUEUED", "PENDING"):
                forget_requests(self._settings.spool, delivery)
