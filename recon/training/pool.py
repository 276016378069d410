"""A moving window of simulated heads on disk, made by a process of its own while the trainer learns.

Head number ``n`` follows from its seed alone, so the order in which a training run sees its data does not depend on
timing: a step waits for the heads it needs, never takes others.
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

from recon.simulation.seeds import Purpose

_POLL_S = 0.5


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
        """File of head ``index``: ``(channel + 2, x, y, z)`` float16, last two the target and the weight."""
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

    def make(self, index: int) -> None:
        """Simulate head ``index`` and store it, unless it is there."""
        from recon.simulation.template import load_template
        from recon.training.sample import make_volume

        path = self.path(index)
        if path.exists():
            return
        volume = make_volume(self.purpose, index, load_template())
        stack = torch.cat([volume.features, volume.target[None], volume.weight[None].float()])
        partial = path.with_suffix(f".part{os.getpid()}")
        with partial.open("wb") as stream:
            np.save(stream, stack.numpy().astype(np.float16))
        partial.rename(path)

    def drop_before(self, index: int) -> None:
        """Delete heads that no later step will need."""
        for path in self.folder.glob(f"{self.purpose.name.lower()}-*.npy"):
            if int(path.stem.rsplit("-", 1)[1]) < index:
                path.unlink(missing_ok=True)


def start_producer(pool: Pool, first: int, ahead: int, progress: Path, nice: int) -> BaseProcess:
    """Start the process that makes heads from ``first`` on, at most ``ahead`` beyond the one in ``progress``."""
    context = get_context("spawn")
    process = context.Process(target=_produce, args=(pool, first, ahead, progress, nice), daemon=True)
    process.start()
    return process


def _produce(pool: Pool, first: int, ahead: int, progress: Path, nice: int) -> None:
    """Make heads until the parent goes away."""
    os.nice(nice)
    torch.set_num_threads(1)
    import numba

    numba.set_num_threads(1)
    parent = os.getppid()
    index = first
    while os.getppid() == parent:
        newest_needed = int(progress.read_text()) if progress.exists() else first
        if index > newest_needed + ahead:
            time.sleep(_POLL_S)
            continue
        pool.make(index)
        index += 1
