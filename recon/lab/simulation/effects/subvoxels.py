"""Signal inside a lattice point's box: a sum over subvoxels where strong sources bend the field.

Field and signal are interpolated by cubic convolution (Keys 1981, doi:10.1109/TASSP.1981.1163711); the mean of
``signal · exp(i phase)`` over the subvoxels, relative to the point itself, replaces the sinc of the gradient. Only
points with signal whose phase step to a neighbour passes a limit are summed, block by block.
"""

from __future__ import annotations

import itertools
import math

import torch

from recon.lab.simulation.draw.effect_plans import SubvoxelsPlan

_BLOCK = 24
"""Points per axis that are summed at a time."""
_HALO = 2


def subvoxel_factor(
    field_turns: torch.Tensor, signal: torch.Tensor, plan: SubvoxelsPlan, elsewhere: torch.Tensor
) -> torch.Tensor:
    """Return the complex factor ``(x, y, z)`` that dephasing leaves of the signal at each point.

    Parameters
    ----------
    field_turns
        ``(x, y, z)`` phase of the field at the echo time, in turns, unwrapped.
    signal
        ``(x, y, z)`` real, zero or more: what the point would give without dephasing.
    plan
        Number of subvoxels per axis, and the limit.
    elsewhere
        ``(x, y, z)`` real factor where the limit is not passed.
    """
    factor = torch.complex(elsewhere, torch.zeros_like(elsewhere))
    strong = (_largest_step(field_turns) > plan.turns) & (signal > 0)
    wide = [torch.nn.functional.pad(v[None, None], (_HALO,) * 6, mode="replicate")[0, 0] for v in (field_turns, signal)]
    starts = [range(0, n, _BLOCK) for n in field_turns.shape]
    for corner in itertools.product(*starts):
        inner = tuple(slice(first, first + _BLOCK) for first in corner)
        if strong[inner].any():
            outer = tuple(slice(first, first + _BLOCK + 2 * _HALO) for first in corner)
            mean = _block_factor(wide[0][outer], wide[1][outer], field_turns[inner], plan.parts)
            factor[inner] = torch.where(strong[inner], mean, factor[inner])
    return factor


def _largest_step(turns: torch.Tensor) -> torch.Tensor:
    """Return the largest step from each point to a neighbour."""
    largest = torch.zeros_like(turns)
    for axis, count in enumerate(turns.shape):
        step = turns.diff(dim=axis).abs()
        for first in (0, 1):
            side = largest.narrow(axis, first, count - 1)
            side.copy_(torch.maximum(side, step))
    return largest


def _block_factor(turns: torch.Tensor, signal: torch.Tensor, middle: torch.Tensor, parts: int) -> torch.Tensor:
    """Return the factor of a block's points ``middle``, given its field and signal with their halo."""
    fine, bright = turns, signal
    for axis, count in enumerate(middle.shape):
        weights = _keys_weights(count, parts).to(turns.device)
        fine = torch.movedim(torch.tensordot(weights, fine, dims=([1], [axis])), 0, axis)
        bright = torch.movedim(torch.tensordot(weights, bright, dims=([1], [axis])), 0, axis)
    x, y, z = middle.shape
    split = (x, parts, y, parts, z, parts)
    apart = fine.reshape(split) - middle[:, None, :, None, :, None]
    bright = bright.reshape(split).clamp(min=0.0)
    total = torch.polar(bright, 2 * math.pi * apart).sum(dim=(1, 3, 5))
    whole = bright.sum(dim=(1, 3, 5))
    return total / torch.where(whole > 0, whole, 1.0)


def _keys_weights(count: int, parts: int) -> torch.Tensor:
    """Return the matrix ``(count · parts, count + 4)`` from points with their halo to subvoxels."""
    place = (torch.arange(count * parts) + 0.5) / parts - 0.5 + _HALO
    distance = (place[:, None] - torch.arange(count + 2 * _HALO)).abs()
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1.0
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4.0 * distance + 2.0
    return torch.where(distance < 1.0, near, torch.where(distance < 2.0, far, 0.0))
