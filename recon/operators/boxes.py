"""Work on the part of a volume that holds the mask; the empty rest only costs time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from recon.errors import InvalidInputError
from recon.types import BoolArray, GradientEcho, Grid, TotalField

Box = tuple[slice, slice, slice]


def mask_box(mask: BoolArray, margin: int | tuple[int, int, int], multiple: int = 1) -> Box:
    """Return the index ranges of the mask, widened by ``margin`` voxels, the same or one for each axis, in the volume.

    They start at a multiple of so many voxels.

    Raises
    ------
    InvalidInputError
        If the mask is empty.
    """
    if not mask.any():
        raise InvalidInputError("the mask is empty: no voxel to reconstruct")
    ranges = []
    margins = (margin,) * 3 if isinstance(margin, int) else margin
    for axis, wide in enumerate(margins):
        inside = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        low, high = int(inside[0]) - wide, int(inside[-1]) + 1 + wide
        ranges.append(slice(max(0, low) // multiple * multiple, min(mask.shape[axis], high)))
    return (ranges[0], ranges[1], ranges[2])


def crop_grid(grid: Grid, box: Box) -> Grid:
    """Return the grid of the voxels in ``box``."""
    x, y, z = (s.stop - s.start for s in box)
    return dataclasses.replace(grid, shape=(x, y, z))


def crop_echoes(echoes: GradientEcho, box: Box) -> GradientEcho:
    """Return an acquisition cut to ``box``."""
    return dataclasses.replace(
        echoes,
        magnitude=np.ascontiguousarray(echoes.magnitude[:, *box]),
        phase_rad=np.ascontiguousarray(echoes.phase_rad[:, *box]),
        grid=crop_grid(echoes.grid, box),
    )


def crop_field(total: TotalField, margin: int) -> tuple[TotalField, Box]:
    """Return a total field cut to the box of its mask, widened by ``margin`` voxels, and the box."""
    box = mask_box(total.mask, margin)
    return dataclasses.replace(
        total,
        field_ppm=np.ascontiguousarray(total.field_ppm[box]),
        mask=np.ascontiguousarray(total.mask[box]),
        quality=np.ascontiguousarray(total.quality[box]),
        noise_ppm=np.ascontiguousarray(total.noise_ppm[box]),
        reliable=np.ascontiguousarray(total.reliable[box]),
        closed_mask=np.ascontiguousarray(total.closed_mask[box]),
        grid=crop_grid(total.grid, box),
    ), box


def restore_field(total: TotalField, box: Box, grid: Grid) -> TotalField:
    """Return a total field that was worked out in ``box`` on the whole ``grid``, with zeros outside."""

    def whole(volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
        out = np.zeros(grid.shape, volume.dtype)
        out[box] = volume
        return out

    return dataclasses.replace(
        total,
        field_ppm=whole(total.field_ppm),
        mask=whole(total.mask),
        quality=whole(total.quality),
        noise_ppm=whole(total.noise_ppm),
        reliable=whole(total.reliable),
        closed_mask=whole(total.closed_mask),
        grid=grid,
    )
