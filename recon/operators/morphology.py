"""Morphology of masks in mm: boxes, growth within a region, the largest part, cavities."""

from __future__ import annotations

import cc3d
import fill_voids
import numpy as np
from scipy import ndimage

from recon.types import BoolArray, Grid


def box_filter(mask: BoolArray, grid: Grid, radius_mm: float, extreme: str) -> BoolArray:
    """Erode, dilate or open by a box with half-widths of about a radius; nothing is eaten from the volume's faces."""
    if extreme == "open":
        return mask & box_filter(box_filter(mask, grid, radius_mm, "erode"), grid, radius_mm, "dilate")
    out = mask.astype(np.uint8)
    run = ndimage.minimum_filter1d if extreme == "erode" else ndimage.maximum_filter1d
    for axis, size in enumerate(grid.voxel_size_mm):
        reach = round(radius_mm / size)
        if reach > 0:
            out = run(out, 2 * reach + 1, axis=axis, mode="nearest")
    filtered: BoolArray = out.astype(np.bool_)
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
