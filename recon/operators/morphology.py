"""Morphology of masks in mm: boxes, growth within a region, the largest part, cavities."""

from __future__ import annotations

from typing import Literal

import cc3d
import fill_voids
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from recon.operators.slabs import compiled, in_slabs
from recon.types import BoolArray, Grid

ByteArray = npt.NDArray[np.uint8]

_MOST_REACH = 127
"""Voxels: a window of them, counted in a byte."""


@compiled
def _row(volume: ByteArray, axis: int, at: int, beside: int) -> ByteArray:
    row: ByteArray = volume[at, beside] if axis == 0 else volume[beside, at]
    return row


@compiled
def _dilate_rows(start: int, stop: int, volume: ByteArray, axis: int, reach: int, out: ByteArray) -> None:
    """Dilate along the first or second axis, rows of the last one at a time; ranges are of the other of the two."""
    length = volume.shape[axis]
    count = np.empty(volume.shape[2], np.uint8)
    for beside in range(start, stop):
        count[:] = 0
        for at in range(-reach, length):
            if at + reach < length:
                ahead = _row(volume, axis, at + reach, beside)
                for z in range(count.size):
                    count[z] += ahead[z]
            if at - reach - 1 >= 0:
                behind = _row(volume, axis, at - reach - 1, beside)
                for z in range(count.size):
                    count[z] -= behind[z]
            if at >= 0:
                dilated = _row(out, axis, at, beside)
                for z in range(count.size):
                    dilated[z] = count[z] > 0


@compiled
def _dilate_within_rows(start: int, stop: int, volume: ByteArray, reach: int, out: ByteArray) -> None:
    """Dilate along the last axis; ranges are of the first one."""
    length = volume.shape[2]
    for x in range(start, stop):
        for y in range(volume.shape[1]):
            last = -length - reach
            for z in range(length):
                last = z if volume[x, y, z] else last
                out[x, y, z] = z - last <= reach
            last = 2 * length + reach
            for z in range(length - 1, -1, -1):
                last = z if volume[x, y, z] else last
                out[x, y, z] |= last - z <= reach


def _dilated(volume: ByteArray, reaches: tuple[int, ...]) -> ByteArray:
    """Dilate zeros and ones by a box of half-widths in voxels; the volume's faces are no part of it."""
    for axis, reach in enumerate(reaches):
        out = np.empty_like(volume)
        reach = min(reach, volume.shape[axis] - 1, _MOST_REACH)
        if reach > 0 and axis < 2:
            in_slabs(_dilate_rows, volume.shape[1 - axis], volume, axis, reach, out)
        elif reach > 0:
            in_slabs(_dilate_within_rows, volume.shape[0], volume, reach, out)
        volume = out if reach > 0 else volume
    return volume


def box_filter(mask: BoolArray, grid: Grid, radius_mm: float, extreme: Literal["erode", "dilate", "open"]) -> BoolArray:
    """Erode, dilate or open by a box with half-widths of about a radius; nothing is eaten from the volume's faces."""
    reaches = tuple(round(radius_mm / size) for size in grid.voxel_size_mm)
    grown = np.ascontiguousarray(mask if extreme == "dilate" else ~mask).view(np.uint8)
    # What is eroded is what the outside does not reach.
    grown = _dilated(grown, reaches) if any(reaches) else grown.copy()
    if extreme == "open":
        grown = _dilated(1 - grown, reaches) & mask
    filtered: BoolArray = (grown ^ 1 if extreme == "erode" else grown).view(np.bool_)
    return filtered


def grown_within(seed: BoolArray, into: BoolArray, grid: Grid, reach_mm: float) -> BoolArray:
    """Return a seed grown within a region, by about a distance."""
    steps = max(1, round(reach_mm / max(grid.voxel_size_mm)))
    grown: BoolArray = ndimage.binary_dilation(seed, iterations=steps, mask=into) if seed.any() else seed
    return grown


def largest_component(mask: BoolArray) -> BoolArray:
    """Return the largest face-connected part of a mask."""
    labels = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=6)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    if sizes.sum() == 0:
        return mask
    part: BoolArray = labels == int(sizes.argmax())
    return part


def clean(mask: BoolArray) -> BoolArray:
    """Return the largest part of a mask with its cavities filled."""
    filled: BoolArray = fill_voids.fill(largest_component(mask)).astype(np.bool_)
    return filled
