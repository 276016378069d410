"""A moving window of simulated heads on disk, made by a process of its own while the trainer learns.

Head number ``n`` follows from its seed, and what the network's first pass makes of it from the snapshot of the network
that its number names; so what a training run sees does not depend on timing: a step waits for the heads it needs, never
takes others.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch

from recon.network.features import CHANNELS, RESIDUAL_CHANNEL, START_CHANNEL
from recon.network.passes import measured_field, one_pass, refined_channels
from recon.simulation.seeds import Purpose
from recon.training.forward import mixed_forward, snapshot_network
from recon.training.patches import Schedule

_POLL_S = 0.5
_INPUTS = len(CHANNELS)
FIRST_PASS = (*range(_INPUTS), _INPUTS + 2, _INPUTS + 3)
"""Stored channels of a patch for the first pass: features, target, weight."""
_REPLACED = {START_CHANNEL: _INPUTS, RESIDUAL_CHANNEL: _INPUTS + 1}
SECOND_PASS = tuple(_REPLACED.get(channel, channel) for channel in FIRST_PASS)
"""Likewise for the second pass."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Where the heads are.

    Parameters
    ----------
    folder
        Folder of the files, one ``.npy`` of all channels per head.
    purpose
        What the heads are for.
    """

    folder: Path
    purpose: Purpose

    def path(self, index: int) -> Path:
        """File of head ``index``: features, refined start and residual, target, weight; ``(…, x, y, z)`` float16."""
        return self.folder / f"{self.purpose.name.lower()}-{index:06d}.npy"

    def load(self, index: int, producer: BaseProcess | None = None) -> np.ndarray:
        """Open head ``index``, waiting for it while ``producer`` lives.

        Raises
        ------
        RuntimeError
            If it is not there and nobody is making it.
        """
        path = self.path(index)
        while not path.exists():
            if producer is None or not producer.is_alive():
                raise RuntimeError(f"head {index} is not in the pool and no process is making it")
            time.sleep(_POLL_S)
        return np.asarray(np.load(path, mmap_mode="r"))

    def make(self, index: int, snapshot: Path | None = None) -> None:
        """Simulate head ``index`` and store it, unless it is there.

        Parameters
        ----------
        index
            Its number.
        snapshot
            Weights for the first pass; without, the refined channels stay empty (validation makes its own).
        """
        from recon.simulation.template import load_template
        from recon.training.sample import make_volume

        path = self.path(index)
        if path.exists():
            return
        volume = make_volume(self.purpose, index, load_template())
        refined = torch.zeros(2, *volume.grid.shape)
        if snapshot is not None:
            network = snapshot_network(snapshot)
            chi = one_pass(volume.features, mixed_forward(network), network.config.stride)
            refined = refined_channels(chi, measured_field(volume.features, volume.grid))
        stack = torch.cat([volume.features, refined, volume.target[None], volume.weight[None].float()])
        partial = path.with_suffix(f".part{os.getpid()}")
        with partial.open("wb") as stream:
            np.save(stream, stack.numpy().astype(np.float16))
        partial.rename(path)

    def drop_before(self, index: int) -> None:
        """Delete heads that no later step will need."""
        for path in self.folder.glob(f"{self.purpose.name.lower()}-*.npy"):
            if int(path.stem.rsplit("-", 1)[1]) < index:
                path.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class Production:
    """What the process that makes heads needs to know.

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
    """

    pool: Pool
    schedule: Schedule
    first: int
    ahead: int
    snapshot_every: int
    progress: Path
    nice: int

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


def start_producer(production: Production) -> BaseProcess:
    """Start the process that makes heads."""
    process = get_context("spawn").Process(target=_produce, args=(production,), daemon=True)
    process.start()
    return process


def _produce(production: Production) -> None:
    """Make heads until the parent goes away."""
    os.nice(production.nice)
    torch.set_num_threads(1)
    import numba

    numba.set_num_threads(1)
    parent = os.getppid()
    index = production.first
    while os.getppid() == parent:
        newest = int(production.progress.read_text())
        if index > newest + production.ahead or not production.can_make(index):
            time.sleep(_POLL_S)
            continue
        production.pool.make(index, production.snapshot(index))
        index += 1
