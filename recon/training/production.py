"""Processes that simulate heads while the trainer learns.

What the network's first pass makes of a head comes from the snapshot of the network that the head's number names; so
what a training run sees does not depend on timing: a step waits for the heads it needs, never takes others.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from recon.simulation.seeds import Purpose
from recon.training.patches import Schedule
from recon.training.pool import POLL_S, Pool
from recon.training.validation import HEADS


@dataclass(frozen=True, kw_only=True)
class Production:
    """What the processes that make heads need to know.

    Parameters
    ----------
    pool
        Where they go.
    schedule
        When they are needed.
    first
        The first to make.
    ahead
        How many beyond the newest that the trainer may use.
    snapshot_every
        Steps between snapshots of the network.
    progress
        File with the number of the newest head that the trainer may use.
    nice
        Added to the priority number.
    workers
        Number of processes; each makes every so manieth head.
    device
        Where they run the network's first pass.
    """

    pool: Pool
    schedule: Schedule
    first: int
    ahead: int
    snapshot_every: int
    progress: Path
    nice: int
    workers: int = 1
    device: str = "cpu"

    def snapshot(self, head: int) -> Path:
        """Return the weights that a head's first pass uses: of a step that surely came before the head is made."""
        early = self.schedule.first_use(head) - self.ahead * self.schedule.steps_per_head
        begin = self.schedule.first_step
        step = begin + max(0, early - begin) // self.snapshot_every * self.snapshot_every
        return snapshot_path(self.pool.folder, step)

    def can_make(self, head: int) -> bool:
        """Say whether a head is there already, made by a run whose snapshot may be gone, or its snapshot is."""
        return self.pool.path(head).exists() or self.snapshot(head).exists()


def snapshot_path(folder: Path, step: int) -> Path:
    """Return the file of the network's averaged weights at a step."""
    return folder / f"snapshot-{step:07d}.safetensors"


def start_producers(production: Production) -> list[BaseProcess]:
    """Start the processes that make heads."""
    context = get_context("spawn")
    made: list[BaseProcess] = [
        context.Process(target=_produce, args=(production, worker), daemon=True) for worker in range(production.workers)
    ]
    for process in made:
        process.start()
    return made


def _produce(production: Production, worker: int) -> None:
    """Make validation heads, this process's share of them, then training heads until the parent goes away."""
    _settle(production, worker)
    parent = os.getppid()
    checks = Pool(folder=production.pool.folder, purpose=Purpose.VALIDATION)
    for head in HEADS[worker :: production.workers]:
        checks.make(head)
    index = production.first + worker
    while os.getppid() == parent:
        newest = int(production.progress.read_text())
        if index > newest + production.ahead or not production.can_make(index):
            time.sleep(POLL_S)
            continue
        production.pool.make(index, production.snapshot(index), production.device)
        index += production.workers


def _settle(production: Production, worker: int) -> None:
    """Make this process one of many: a single thread, out of the way, and on a core of its own if there are several."""
    import numba

    os.nice(production.nice)
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    if production.workers > 1:
        cores = sorted(os.sched_getaffinity(0), reverse=True)
        os.sched_setaffinity(0, {cores[worker % len(cores)]})
