"""From the last acknowledged image to the last QSM instance at a PACS, and how much memory each process took for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from plugin.lab.bench.stages import Load, draw_stages, stages_of
from plugin.lab.demo.run import SERVICE_LOG, from_scanner_to_pacs
from recon.lab.bench.row import Say

_WATCH_SECONDS = 0.2
"""Between looks at the processes: each look takes 20 ms of a core that the service could use."""


def end_to_end(
    images: Sequence[Path], slices: int, work: Path, say: Say, picture: Path | None = None
) -> dict[str, Any]:
    """Send a series to a service of its own and wait for the QSM series at a PACS.

    Parameters
    ----------
    images, slices, work, say
        As in :func:`plugin.lab.demo.run.from_scanner_to_pacs`.
    picture
        PNG to draw of what each process does and when, if any.

    Returns
    -------
    dict
        JSON values: the ``Delivery`` with the job's ``"step_seconds"`` and ``"engine"`` in place of its report, the
        ``"stages"`` of the whole way, and by role the ``"peak_gib"`` and ``"cpu_seconds"`` of each process of the
        service, start and warm-up included.
    """
    with _ProcessWatch() as watch:
        found = asdict(from_scanner_to_pacs(images, slices, work, say))
    report = found.pop("report")
    steps, engine = report["seconds"], report["provenance"]["engine"]
    zero_s, stages = stages_of((work / SERVICE_LOG).read_text(encoding="utf-8"), steps)
    if picture is not None:
        draw_stages(stages, watch.loads, zero_s, len(os.sched_getaffinity(0)), picture)
    return {
        **found,
        "step_seconds": steps,
        "engine": engine,
        "stages": [asdict(stage) for stage in stages],
        "peak_gib": watch.peak_gib,
        "cpu_seconds": watch.cpu_s,
    }


class _ProcessWatch(threading.Thread):
    """Watches memory and processor time of the service's processes, by role, while the context lasts."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_gib: dict[str, float] = {}
        self.cpu_s: dict[str, float] = {}
        self.loads: list[Load] = []
        self._looked_at: dict[str, float] = {}
        self._stop_asked = threading.Event()

    def __enter__(self) -> _ProcessWatch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join()

    def run(self) -> None:
        """Look at the processes until asked to stop."""
        while not self._stop_asked.wait(_WATCH_SECONDS):
            now = time.time()
            for process in psutil.Process().children(recursive=True):
                try:
                    role = _role(process.cmdline())
                    resident = process.memory_info().rss / 2**30
                    times = process.cpu_times()
                except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                    continue
                if role:
                    self.peak_gib[role] = max(resident, self.peak_gib.get(role, 0.0))
                    self._note(role, times.user + times.system, now)

    def _note(self, role: str, cpu_s: float, now_s: float) -> None:
        before, since = self.cpu_s.get(role), self._looked_at.get(role)
        if before is not None and since is not None and cpu_s >= before:
            self.loads.append(Load(process=role, at_s=now_s, cores=(cpu_s - before) / (now_s - since)))
        self.cpu_s[role], self._looked_at[role] = cpu_s, now_s


def _role(command: list[str]) -> str:
    """Name a process of the service by its command line; empty for others."""
    words = " ".join(command).split()  # a title, padded to the length of the command line that it replaces
    if len(words) == 2 and words[0] == "qsm-plugin":
        return words[1]
    return "supervisor" if "serve" in words else ""
