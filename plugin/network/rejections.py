"""What the receiver turned away: counted by reason for the metrics, and associations in the audit trail."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Literal

from plugin.audit import Participant, record, security_alert
from plugin.config.settings import Settings
from plugin.files import write_private_json
from plugin.log import describe, get_logger

REJECTIONS_FILE = "rejections.json"
"""In the folder of the host: counts since the receiver started, ``[[kind, reason, count], …]``."""

Kind = Literal["connection", "association", "image"]

_WRITTEN_SECONDS = 5.0


class Rejections:
    """Counts since this process started."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._counts: Counter[tuple[Kind, str]] = Counter()
        self._lock = threading.Lock()
        self._written: dict[tuple[Kind, str], int] | None = None
        self._written_at = 0.0

    def count(self, kind: Kind, reason: str) -> None:
        """Count a rejection; the reasons are few and fixed."""
        with self._lock:
            self._counts[kind, reason] += 1

    def alert(self, reason: str, *, calling_ae: str, address: str) -> None:
        """Enter into the audit trail that a peer was not let in."""
        peer = Participant(ae_title=calling_ae or "unknown", host=address)
        record(self._settings, security_alert(self._settings, reason, peer))

    def write(self) -> None:
        """Write the counts for the metrics, now and then, when they have changed."""
        with self._lock:
            counts = dict(self._counts)
        if counts == self._written or time.monotonic() - self._written_at < _WRITTEN_SECONDS:
            return
        self._written_at = time.monotonic()
        try:
            rows = [[*key, number] for key, number in counts.items()]
            write_private_json(rows, self._settings.host_folder / REJECTIONS_FILE)
            self._written = counts
        except OSError as error:  # a full disk; the next time may find room
            get_logger().warning("rejections.not_written", **describe(error))


def rejections_in(folder: Path) -> list[tuple[str, str, int]]:
    """Return kind, reason and count of what the receiver turned away."""
    try:
        rows = json.loads((folder / REJECTIONS_FILE).read_text(encoding="utf-8"))
        return [(str(kind), str(reason), int(count)) for kind, reason, count in rows]
    except (OSError, ValueError):
        return []
