"""Whether a job's worker died, or the whole service: only the first may be the job's own doing.

A worker that dies while its supervisor lives on was probably killed by its images, and the job is given up after a few
of them. Where the supervisor ended, too (power cut, kill of the whole container, restart by force), nothing is known of
the job's part in it, and what ran goes on uncounted; not for ever, as some images may take the machine with them.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from plugin.config.settings import Settings
from plugin.files import write_private_json
from plugin.jobs.work.watchdog import hand_back
from plugin.log import get_logger

MOST_INTERRUPTIONS: Final = 50
"""How often the service may end during a job until that counts as the job's doing."""

_START_TIME_FIELD = 19
"""Of ``/proc/PID/stat``, counted behind the name of the program: the field that tells processes of one number apart."""


def excuse_interrupted(settings: Settings, executor: str, supervisor: str | None = None) -> list[str]:
    """Queue again, uncounted, what the predecessor of this process ran, unless it died beneath the same supervisor.

    Parameters
    ----------
    settings
        Site settings.
    executor
        Name under which this process and its predecessors run workflows.
    supervisor
        What tells the supervisor from all others; the parent of this process if not given.

    Returns
    -------
    list of str
        The workflows, which continue after the last step that was recorded.
    """
    supervisor = supervisor or _parent()
    note = settings.host_folder / f".{executor}.json"
    before, counts = _read(note)
    handed_back: list[str] = []
    if before != supervisor:
        worn_out = {job: count for job, count in counts.items() if count >= MOST_INTERRUPTIONS}
        handed_back = hand_back(settings, executor, but=worn_out)
        counts = {job: counts.get(job, 0) + 1 for job in handed_back} | worn_out
        for job in handed_back:
            get_logger().info("job.interrupted", job=job, times=counts[job])
    with suppress(OSError):  # on a full disk a death of the service counts as one of the worker
        write_private_json({"supervisor": supervisor, "interrupted": counts}, note)
    return handed_back


def _read(note: Path) -> tuple[str, dict[str, int]]:
    """Return the predecessor's supervisor and counts; nothing where there was none, or the note is damaged."""
    try:
        said = json.loads(note.read_text())
        return str(said["supervisor"]), {str(job): int(count) for job, count in said["interrupted"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return "", {}


def _parent() -> str:
    """Return what tells the parent of this process from every other process, before and after."""
    number = os.getppid()
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return str(number)
    return f"{boot} {number} {fields[_START_TIME_FIELD]}"
