"""Work on the part of a volume that holds the mask; the empty rest only costs time."""

from __future__ import annotations

import dataclasses

import numpy as np

from recon.errors import InvalidInputError
from recon.types import BoolArray, Grid, TotalField

Box = tuple[slice, slice, slice]


def mask_box(mask: BoolArray, margin: int | tuple[int, int, int]) -> Box:
    """Return the index ranges of the mask, widened by ``margin`` voxels, the same or one for each axis, in the volume.

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
        ranges.append(slice(max(0, low), min(mask.shape[axis], high)))
    return (ranges[0], ranges[1], ranges[2])


def crop_grid(grid: Grid, box: Box) -> Grid:
    """Return the grid of the voxels in ``box``."""
    x, y, z = (s.stop - s.start for s in box)
    return dataclasses.replace(grid, shape=(x, y, z))


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
