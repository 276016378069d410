"""Volumes that are larger than an engine takes: tiles that overlap so far that the result is the same.

A voxel of the output depends on no input farther away than :func:`reach_voxels`. Tiles that overlap by that on each
side, and that begin where the network's strides begin, give every voxel what the whole volume would have given it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import torch

from recon.engines.base import Shape
from recon.errors import EngineError
from recon.network.model import ModelConfig

Run = Callable[[torch.Tensor], torch.Tensor]


def reach_voxels(config: ModelConfig) -> int:
    """Return how far the network looks, rounded up to its stride.

    Residual blocks of two 3x3x3 convolutions at each level, twice but for the coarsest; strided convolutions, whose
    blocks add up to one stride; the 4x4x4 stem and two convolutions at full resolution.
    """
    levels = [2 ** (level + 1) for level in range(len(config.widths))]
    reach = 2 * sum(levels) + 2 * sum(levels[:-1]) + config.stride + 4
    return int(math.ceil(reach / config.stride) * config.stride)


def run_in_tiles(run: Run, features: torch.Tensor, largest: Shape, config: ModelConfig) -> tuple[torch.Tensor, int]:
    """Run the network tile by tile, in a single tile where the engine takes the whole volume.

    Parameters
    ----------
    run
        The engine.
    features
        ``(1, channel, x, y, z)``.
    largest
        Sizes that it takes.
    config
        The network's sizes.

    Returns
    -------
    torch.Tensor, int
        ``(1, 1, x, y, z)``, and the number of tiles.

    Raises
    ------
    EngineError
        If what the engine takes is less than the overlap needs.
    """
    x, y, z = features.shape[2:]
    margin, stride = reach_voxels(config), config.stride
    ranges = [list(_ranges(n, most, margin, stride)) for n, most in zip((x, y, z), largest, strict=True)]
    output = features.new_zeros(1, 1, x, y, z)
    count = 0
    for parts in itertools.product(*ranges):
        outer_x, outer_y, outer_z = (slice(a, b) for a, b, _, _ in parts)
        core_x, core_y, core_z = (slice(c, d) for _, _, c, d in parts)
        inner_x, inner_y, inner_z = (slice(c - a, d - a) for a, _, c, d in parts)
        result = run(features[..., outer_x, outer_y, outer_z].contiguous())
        output[..., core_x, core_y, core_z] = result[..., inner_x, inner_y, inner_z]
        count += 1
    return output, count


def _ranges(size: int, most: int, margin: int, stride: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield, for one axis, each tile's begin and end, and begin and end of what is kept of it."""
    most -= most % stride
    if size <= most:
        yield 0, size, 0, size
        return
    if most <= 2 * margin:
        raise EngineError(f"the engine takes {most} voxels along an axis, tiles need more than {2 * margin}")
    begin = 0
    while begin < size:
        outer_begin = max(0, begin - margin)
        outer_end = min(size, outer_begin + most)
        end = size if outer_end == size else outer_end - margin
        yield outer_begin, outer_end, begin, end
        begin = end
