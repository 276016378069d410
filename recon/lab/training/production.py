"""Processes that simulate heads while the trainer learns.

What the network's first pass makes of a head comes from the snapshot of the network that the head's number names; so
what a training run sees does not depend on timing: a step waits for the heads it needs, never takes others.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.training.pool import POLL_S, Pool
from recon.lab.training.state import TrainingArgs
from recon.lab.training.validation import HEADS

_LOG = logging.getLogger(__name__)
_MOST_RESTARTS = 20
_FFT_PLANS = 4
"""Plans for transforms that a process keeps on a GPU: every head has another size, and a plan holds memory."""
_SUBSTITUTES = 1_000_000
"""Added to the number of a head whose simulation fails, for the one that stands in for it."""


@dataclass(frozen=True, kw_only=True)
class Production:
    """What the processes that make heads need to know.

    Parameters
    ----------
    pool
        Where they go.
    args
        Settings of the run: when each head is needed, and how often snapshots are taken.
    ahead
        How many heads beyond the newest that the trainer may use.
    window
        File with the numbers of the oldest and the newest head that the trainer may use.
    nice
        Added to the priority number.
    workers
        Number of processes; each makes every ``workers``-th head.
    device
        Where they run the network's first pass.
    """

    pool: Pool
    args: TrainingArgs
    ahead: int
    window: Path
    nice: int
    workers: int
    device: str

    def snapshot(self, head: int) -> Path:
        """Return the weights that a head's first pass uses: of a step that surely came before the head is made."""
        early = self.args.first_use(head) - self.ahead * self.args.steps_per_head
        begin, every = self.args.first_step, self.args.snapshot_every
        step = begin + max(0, early - begin) // every * every
        return snapshot_path(self.pool.folder, step)

    def can_make(self, head: int) -> bool:
        """Say whether a head is there already, made by a run whose snapshot may be gone, or its snapshot is."""
        return self.pool.path(head).exists() or self.snapshot(head).exists()


def write_window(path: Path, oldest: int, newest: int) -> None:
    """Say which heads are wanted; whoever reads meanwhile finds the old or the new, never a half."""
    partial = path.with_suffix(".part")
    partial.write_text(f"{oldest} {newest}")
    partial.replace(path)


def read_window(path: Path) -> tuple[int, int]:
    """Return the numbers of the oldest and the newest head that are wanted."""
    oldest, newest = path.read_text().split()
    return int(oldest), int(newest)


def snapshot_path(folder: Path, step: int) -> Path:
    """Return the file of the network's averaged weights at a step."""
    return folder / f"snapshot-{step:07d}.safetensors"


class Producers:
    """The processes that make heads; one that dies is started again, a few times."""

    def __init__(self, production: Production) -> None:
        self._production, self._lock, self._restarts = production, threading.Lock(), 0
        self._processes = [self._start(worker) for worker in range(production.workers)]

    def keep_working(self) -> None:
        """Start dead processes again.

        Raises
        ------
        RuntimeError
            If that was done too often; the message holds the last exit code.
        """
        with self._lock:
            for worker, process in enumerate(self._processes):
                if process.is_alive():
                    continue
                self._restarts += 1
                if self._restarts > _MOST_RESTARTS:
                    raise RuntimeError(f"the processes that simulate keep dying, at last with code {process.exitcode}")
                _LOG.error("process %d, which simulates, died with code %s: started again", worker, process.exitcode)
                self._processes[worker] = self._start(worker)

    def stop(self) -> None:
        """End them all."""
        for process in self._processes:
            process.terminate()

    def _start(self, worker: int) -> BaseProcess:
        process = get_context("spawn").Process(target=_produce, args=(self._production, worker), daemon=True)
        process.start()
        return process


def _produce(production: Production, worker: int) -> None:
    """Make validation heads, this process's share of them, then training heads until the parent goes away."""
    _limit(production, worker)
    parent = os.getppid()
    checks = Pool(folder=production.pool.folder, purpose=Purpose.VALIDATION)
    for head in HEADS[worker :: production.workers]:
        checks.make(head)
    index = worker
    while os.getppid() == parent:
        oldest, newest = read_window(production.window)
        if index < oldest:
            index += production.workers * math.ceil((oldest - index) / production.workers)
        elif index > newest + production.ahead or not production.can_make(index):
            time.sleep(POLL_S)
        else:
            _make(production, index)
            index += production.workers


def _make(production: Production, index: int) -> None:
    """Make a head; where a GPU fails, the CPU makes it, and a head that cannot be made at all is substituted."""
    snapshot = production.snapshot(index)
    for device, substitute in ((production.device, 0), ("cpu", 0), ("cpu", _SUBSTITUTES)):
        try:
            production.pool.make(index, snapshot, device, substitute=substitute)
            if device != "cpu":
                torch.cuda.empty_cache()
        except Exception:
            _LOG.exception("head %d could not be made on %s, substitute %d", index, device, substitute)
        else:
            return
    raise RuntimeError(f"neither head {index} nor its substitute can be made")


def _limit(production: Production, worker: int) -> None:
    """Make this process one of many: a single thread, low priority, and on a core of its own if there are several."""
    import numba

    os.nice(production.nice)
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    if production.device != "cpu":
        # Half of the GPU's memory is the trainer's; the other half is shared.
        torch.cuda.set_per_process_memory_fraction(0.5 / production.workers)
        torch.backends.cuda.cufft_plan_cache.max_size = _FFT_PLANS
    if production.workers > 1:
        cores = sorted(os.sched_getaffinity(0), reverse=True)
        os.sched_setaffinity(0, {cores[worker % len(cores)]})
