"""Where a job is worked on: its folder, what its steps exchange, and where what it makes goes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WORK_FOLDER = "work"

_STALE_SECONDS = 86400.0


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to work on jobs, where there are workers that would take them over.

    ``name`` is of one process only, from its start to its end. ``check`` ends the process if another worker has taken
    over its jobs, as after it stood still for a minute.
    """

    name: str = ""
    check: Callable[[], object] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Folders of a job.

    Parameters
    ----------
    folder
        Of the job; all workers see it.
    local
        What the steps exchange goes below it, if given: a folder of the job on a local disk. What was exchanged on
        another machine is made again.
    lease
        Each process writes into a folder of its own, so none overwrites what another one has written. Which files
        count is recorded with the step, by the process that the job belongs to.
    """

    folder: Path
    local: Path | None = None
    lease: Lease = Lease()

    @property
    def work(self) -> Path:
        """What the steps exchange."""
        return (self.local or self.folder) / WORK_FOLDER

    @property
    def echoes(self) -> Path:
        """The images as arrays."""
        return self.work / "echoes"

    @property
    def reconstruction(self) -> Path:
        """Total field and susceptibility."""
        return self.work / "reconstruction"

    @property
    def results(self) -> Path:
        """What is made."""
        return self.folder / self.lease.name

    def check_lease(self) -> None:
        """End the process if the job no longer belongs to it."""
        self.lease.check()


def discard_stale_work(local: Path) -> None:
    """Remove what was left of jobs that other workers have taken over since; theirs are begun within a day."""
    for folder in local.glob("*/"):
        if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
