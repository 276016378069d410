"""Simulated heads on disk: head number ``n`` follows from its seed and its purpose, whoever makes it and when."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.simulation.template import load_template
from recon.lab.training.forward import mixed_forward, snapshot_network
from recon.lab.training.sample import RECIPE, make_volume
from recon.network.features import CHANNELS, RESIDUAL_CHANNEL, START_CHANNEL
from recon.network.passes import held_to, measured_field, one_pass, refined_channels

POLL_S = 0.5
PATIENCE_S = 900.0
"""How long to wait for a head: a slow machine makes one in a minute."""
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
        """File of head ``index``: features, refined start and residual, target, weight; ``(…, x, y, z)`` float16.

        It is named after the recipe too, so that heads that older code made are not taken for it.
        """
        return self.folder / f"{self.purpose.name.lower()}-{RECIPE}-{index:06d}.npy"

    def load(self, index: int, keep_working: Callable[[], None]) -> np.ndarray:
        """Open head ``index``, waiting until it is there; what is written to the array is not kept.

        ``keep_working`` is called while waiting: it restarts processes that make heads, or raises RuntimeError.

        Raises
        ------
        RuntimeError
            If the head did not come in time.
        """
        path = self.path(index)
        end = time.monotonic() + PATIENCE_S
        while not path.exists():
            if time.monotonic() > end:
                raise RuntimeError(f"head {index} was not made within {PATIENCE_S:.0f} s")
            keep_working()
            time.sleep(POLL_S)
        return np.asarray(np.load(path, mmap_mode="c"))

    def make(
        self, index: int, snapshot: Path | None = None, device: torch.device | str = "cpu", *, substitute: int = 0
    ) -> None:
        """Simulate head ``index`` and store it, unless it is there.

        Parameters
        ----------
        index
            Its number.
        snapshot
            Weights for the first pass; without, the refined channels stay empty (validation makes its own).
        device
            Where the first pass runs.
        substitute
            Added to the number that the head is drawn from.
        """
        path = self.path(index)
        if path.exists():
            return
        volume = make_volume(self.purpose, index + substitute, load_template())
        refined = torch.zeros(2, *volume.target.shape)
        if snapshot is not None:
            network = snapshot_network(snapshot, device)
            features = volume.features.to(device)
            reliable, closed_mask = (v.to(device) for v in (volume.measured.reliable, volume.measured.closed_mask))
            data = measured_field(features, volume.measured.grid, reliable=reliable, closed_mask=closed_mask)
            start = held_to(one_pass(features, mixed_forward(network), network.config.stride), data)
            refined = refined_channels(start, data).cpu()
        stack = torch.cat([volume.features, refined, volume.target[None], volume.weight[None].float()])
        partial = path.with_suffix(f".part{os.getpid()}")
        with partial.open("wb") as stream:
            np.save(stream, stack.numpy().astype(np.float16))
        partial.rename(path)

    def drop_before(self, index: int) -> None:
        """Delete heads that no later step will need, of other recipes too."""
        for path in self.folder.glob(f"{self.purpose.name.lower()}-*.npy"):
            if int(path.stem.rsplit("-", 1)[1]) < index:
                path.unlink(missing_ok=True)
