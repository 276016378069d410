"""Which patch a training step sees: a pure function of the run's seed and the step number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recon.simulation.seeds import Purpose

_REFINED_SHARE = 0.6


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Which heads a step may use: a window that moves on as new heads are made.

    Parameters
    ----------
    first_head, first_step
        Number of the first head, and the step of the run that begins with it.
    steps_per_head
        Training steps for every new head.
    window
        Heads kept.
    """

    first_head: int = 0
    first_step: int = 0
    steps_per_head: int = 20
    window: int = 64

    def newest(self, step: int) -> int:
        """Return the number of the newest head that step may use."""
        return self.first_head + 8 + (step - self.first_step) // self.steps_per_head

    def oldest(self, step: int) -> int:
        """Return the number of the oldest head that step may use."""
        return max(self.first_head, self.newest(step) - self.window)

    def first_use(self, head: int) -> int:
        """Return the first step that may use a head."""
        return self.first_step + max(0, head - self.first_head - 8) * self.steps_per_head


@dataclass(frozen=True, kw_only=True)
class PatchPlan:
    """What one step does with the pool.

    Parameters
    ----------
    head
        Number of the head.
    corner
        Relative position of the patch, 0..1 along each axis.
    axes, flips
        Permutation and reversal of the axes; the features carry the kernel, so any is physical.
    scale
        Factor on the pair of features and target; exact, as the physics is linear. Negative: χ → -χ.
    refined
        Whether the network is to see its own earlier result (second pass) in place of the closed form (first).
    """

    head: int
    corner: tuple[float, float, float]
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    scale: float
    refined: bool = False


def draw_patch(seed: int, step: int, item: int, schedule: Schedule) -> PatchPlan:
    """Draw one patch of a step's batch."""
    rng = np.random.default_rng([int(Purpose.TRAINING), seed, step, item])
    head = int(rng.integers(schedule.oldest(step), schedule.newest(step) + 1))
    axes = rng.permutation(3)
    scale = float(np.exp(rng.normal(0.0, 0.35))) * (-1.0 if rng.random() < 0.2 else 1.0)
    corner = rng.random(3)
    flips = rng.random(3) < 0.5
    refined = bool(rng.random() < _REFINED_SHARE)
    return PatchPlan(
        head=head,
        corner=(float(corner[0]), float(corner[1]), float(corner[2])),
        axes=(int(axes[0]), int(axes[1]), int(axes[2])),
        flips=(bool(flips[0]), bool(flips[1]), bool(flips[2])),
        scale=scale,
        refined=refined,
    )


def cut_patch(
    stack: np.ndarray, plan: PatchPlan, size: int, constant_channels: tuple[int, ...], channels: Sequence[int]
) -> torch.Tensor:
    """Cut and transform a patch.

    Parameters
    ----------
    stack
        ``(stored channel, x, y, z)`` float16.
    plan
        What to cut.
    size
        Edge in voxels; axes shorter than this are padded with zeros.
    constant_channels
        Positions in ``channels`` that do not scale with the field: masks, weights and noise.
    channels
        Stored channels to take, in order.

    Returns
    -------
    torch.Tensor
        ``(channel, size, size, size)`` float32.
    """
    index = []
    for length, position in zip(stack.shape[1:], plan.corner, strict=True):
        start = int(round(position * max(0, length - size)))
        index.append(slice(start, min(start + size, length)))
    patch = stack[(slice(None), *index)][list(channels)].astype(np.float32)
    padding = [(0, 0), *((0, size - n) for n in patch.shape[1:])]
    patch = np.pad(patch, padding).transpose(0, *(a + 1 for a in plan.axes))
    reverse = tuple(slice(None, None, -1 if f else 1) for f in plan.flips)
    patch = np.ascontiguousarray(patch[(slice(None), *reverse)])
    factor = np.full((patch.shape[0], 1, 1, 1), plan.scale, dtype=np.float32)
    factor[list(constant_channels)] = 1.0
    return torch.from_numpy(patch * factor)
