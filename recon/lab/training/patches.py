"""Which patch a training step sees: a pure function of the run's seed and the step number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recon.lab.simulation.draw.plan import vector
from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.training.state import TrainingArgs

_REFINED_SHARE = 0.6


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


def draw_patch(args: TrainingArgs, step: int, item: int) -> PatchPlan:
    """Draw one patch of a step's batch."""
    rng = np.random.default_rng([int(Purpose.TRAINING), args.seed, step, item])
    head = int(rng.integers(args.oldest(step), args.newest(step) + 1))
    axes = rng.permutation(3)
    scale = float(np.exp(rng.normal(0.0, 0.35))) * (-1.0 if rng.random() < 0.2 else 1.0)
    corner = rng.random(3)
    flips = rng.random(3) < 0.5
    refined = bool(rng.random() < _REFINED_SHARE)
    return PatchPlan(
        head=head,
        corner=vector(corner),
        axes=(int(axes[0]), int(axes[1]), int(axes[2])),
        flips=(bool(flips[0]), bool(flips[1]), bool(flips[2])),
        scale=scale,
        refined=refined,
    )


def cut_patch(
    stack: torch.Tensor, plan: PatchPlan, size: int, constant_channels: tuple[int, ...], channels: Sequence[int]
) -> torch.Tensor:
    """Cut and transform a patch, where the head is: on the CPU or on a GPU.

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
    patch = stack
    for axis, (length, position) in enumerate(zip(stack.shape[1:], plan.corner, strict=True), start=1):
        start = int(round(position * max(0, length - size)))
        patch = patch.narrow(axis, start, min(size, length - start))
    factors = [1.0 if position in constant_channels else plan.scale for position in range(len(channels))]
    # A product with a plain number, channel by channel: a tensor of factors would make a GPU wait for the CPU.
    chosen = torch.stack([patch[channel].float() * f for channel, f in zip(channels, factors, strict=True)])
    padding = [n for length in reversed(chosen.shape[1:]) for n in (0, size - length)]
    turned = torch.nn.functional.pad(chosen, padding).permute(0, *(axis + 1 for axis in plan.axes))
    return turned.flip([axis + 1 for axis, flip in enumerate(plan.flips) if flip])
