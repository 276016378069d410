"""From the last acknowledged image to the last QSM instance at a PACS, and how much memory each process took for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from plugin.errors import PluginError
from plugin.lab.demo.pacs import Pacs, running_pacs
from plugin.lab.demo.run import running_service
from plugin.network.send import send_files
from recon.lab.bench.row import Say

_PATIENCE_SECONDS = 600.0
_POLL_SECONDS = 0.05
_WATCH_SECONDS = 0.2
"""Between looks at the processes: each look takes 20 ms of a core that the service could use."""


@dataclass(frozen=True, kw_only=True)
class EndToEnd:
    """What a series took.

    Parameters
    ----------
    pacs
        Name of the PACS.
    images, qsm_images
        Sent and made.
    send_seconds
        From the first image to the last response.
    wait_seconds
        From the last response to the last QSM instance at the PACS.
    step_seconds
        Of the job's steps, as its report says.
    peak_gib, cpu_seconds
        Most memory of each process of the service, and the processor time it took from start to end, by role.
    engine
        That ran.
    """

    pacs: str
    images: int
    qsm_images: int
    send_seconds: float
    wait_seconds: float
    step_seconds: dict[str, float]
    peak_gib: dict[str, float]
    cpu_seconds: dict[str, float]
    engine: str


def end_to_end(images: Sequence[Path], slices: int, work: Path, say: Say) -> EndToEnd:
    """Send a series to a service of its own and wait for the QSM series at a PACS.

    Parameters
    ----------
    images
        DICOM files of one acquisition.
    slices
        How many QSM images are expected.
    work
        Folder for spool, PACS and log.
    say
        Told what happens.

    Raises
    ------
    PluginError
        The service or the PACS does not start, an image is not accepted, or no QSM series arrives.
    """
    work.mkdir(parents=True)
    say("starting the PACS and the service")
    with running_pacs(work / "pacs") as pacs, running_service(work, pacs.address) as service, _Memory() as memory:
        say(f"sending {len(images)} images")
        sent = send_files(images, service, calling_ae="SCANNER")
        acknowledged = time.monotonic()
        if sent.undelivered:
            raise PluginError(f"{len(sent.undelivered)} images were not accepted: {sent.reason}")
        waited = _wait(pacs, slices, acknowledged, work / "service.log")
        report = json.loads(next((work / "spool" / "jobs").glob("*/report.json")).read_text(encoding="utf-8"))
    return EndToEnd(
        pacs=pacs.name,
        images=len(sent.delivered),
        qsm_images=slices,
        send_seconds=sent.seconds,
        wait_seconds=waited,
        step_seconds=report["seconds"],
        peak_gib=memory.peak_gib,
        cpu_seconds=memory.cpu_seconds,
        engine=report["provenance"]["engine"],
    )


def _wait(pacs: Pacs, expected: int, since: float, log: Path) -> float:
    while len(pacs.instances()) < expected:
        if time.monotonic() - since > _PATIENCE_SECONDS:
            raise PluginError(f"no QSM series at the PACS after {_PATIENCE_SECONDS:.0f} s; the service's log is {log}")
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - since


class _Memory(threading.Thread):
    """Watches memory and processor time of the service's processes, by role, while the context lasts."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_gib: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {}
        self._stop_asked = threading.Event()

    def __enter__(self) -> _Memory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join()

    def run(self) -> None:
        """Look at the processes until asked to stop."""
        while not self._stop_asked.wait(_WATCH_SECONDS):
            for process in psutil.Process().children(recursive=True):
                try:
                    role = _role(process.cmdline())
                    resident = process.memory_info().rss / 2**30
                    times = process.cpu_times()
                except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                    continue
                if role:
                    self.peak_gib[role] = max(resident, self.peak_gib.get(role, 0.0))
                    self.cpu_seconds[role] = times.user + times.system


def _role(command: list[str]) -> str:
    """Name a process of the service by its command line; empty for others."""
    if "plugin.service.process" in command:
        return command[command.index("plugin.service.process") + 1]
    return "supervisor" if "serve" in command else ""
