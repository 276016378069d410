"""Whether a job's worker died, or the whole service: only the first may be the job's own doing.

A worker that dies while its supervisor lives on was probably killed by its images, and the job is given up after a few
of them. Where the supervisor ended, too (power cut, kill of the whole container, restart by force), nothing is known of
the job's part in it, and what ran goes on uncounted; not for ever, as some images may take the service with them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from dbos import DBOSClient

from plugin.config.settings import Settings
from plugin.files import write_private_json
from plugin.jobs.queue import client
from plugin.jobs.work.watchdog import hand_back
from plugin.log import get_logger

MOST_INTERRUPTIONS: Final = 10
"""How often in a row the service may end during one step of a job until that counts as the job's doing."""

_UNFINISHED = ("PENDING", "ENQUEUED", "DELAYED")
_START_TIME_FIELD = 19
"""Of ``/proc/PID/stat``, counted behind the name of the program: the field that tells processes of one number apart."""


@dataclass(frozen=True, kw_only=True)
class _Interruptions:
    """How often the service ended during a workflow, in a row, after so many of its steps were recorded."""

    times: int
    steps: int


def excuse_interrupted(settings: Settings, executor: str, supervisor: str | None = None) -> list[str]:
    """Queue again, uncounted, what the predecessor of this process ran, if it died with a supervisor of its own.

    Where the note cannot be written, nothing is queued again, and the end of the service counts as a worker's death:
    without a note a job might be excused for ever.

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
    before, known = _read(note)
    if before == supervisor:
        return []
    with client(settings) as connected:
        ran, known = _counted(connected, executor, known)
    for name in ran:
        get_logger().warning("job.interrupted", job=name, attempt=known[name].times)
    if not _write(note, supervisor, known):
        return []
    worn_out = [name for name, found in known.items() if found.times > MOST_INTERRUPTIONS]
    return hand_back(settings, executor, except_for=worn_out)


def _counted(
    connected: DBOSClient, executor: str, known: Mapping[str, _Interruptions]
) -> tuple[list[str], dict[str, _Interruptions]]:
    """Return what an executor ran, and the counts with one more interruption of that; forget what has ended since."""
    wanted: dict[str, Any] = {"workflow_ids": list(known), "status": list(_UNFINISHED)}
    states = connected.list_workflows(**wanted, load_input=False, load_output=False) if known else []
    counted = {one.workflow_id: known[one.workflow_id] for one in states}
    pending = connected.list_workflows(status="PENDING", executor_id=executor, load_input=False, load_output=False)
    ran = [one.workflow_id for one in pending]
    for name in ran:
        steps = len(connected.list_workflow_steps(name, load_output=False))
        earlier = counted.get(name)
        in_a_row = earlier.times if earlier and earlier.steps == steps else 0
        counted[name] = _Interruptions(times=in_a_row + 1, steps=steps)
    return ran, counted


def _write(note: Path, supervisor: str, known: Mapping[str, _Interruptions]) -> bool:
    try:
        interrupted = {name: asdict(found) for name, found in known.items()}
        write_private_json({"supervisor": supervisor, "interrupted": interrupted}, note)
    except OSError as error:
        get_logger().warning("job.interruptions_unknown", reason=error.strerror)
        return False
    return True


def _read(note: Path) -> tuple[str, dict[str, _Interruptions]]:
    """Return the predecessor's supervisor and counts; nothing where there was none, or the note is damaged."""
    try:
        said = json.loads(note.read_text())
        known = {str(name): _Interruptions(**_whole(found)) for name, found in said["interrupted"].items()}
        return str(said["supervisor"]), known
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return "", {}


def _whole(found: Mapping[str, object]) -> dict[str, int]:
    return {name: int(str(count)) for name, count in found.items()}


def _parent() -> str:
    """Return what tells the parent of this process from every other process, before and after."""
    number = os.getppid()
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return str(number)
    return f"{boot} {number} {fields[_START_TIME_FIELD]}"
