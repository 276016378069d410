"""Bleeds at the brain's surface: the brain's network cuts through the void that a strong bleed leaves in the magnitude.

Where half of a bleed lies outside the mask, its field counts as background, and its other half is lost too. A void
is taken in as a whole where it makes a dent in the brain that is mostly walled by good brain. The skull's base, which
makes dents as well, is not: its walls are open.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from recon.types import BoolArray, Grid

_DENT_MM = 10.0
"""Half the breadth of the widest dent that is filled; from 15 mm on it joins what lies below the skull's base."""
_COARSE_MM = 3.0
"""Voxels on which dents are looked for."""
_BREADTH_MM = 1.5
"""Half the least breadth of a void: what is thinner is the skull, or a vein."""
_RIM_MM = 3.0
"""How far a void's faint rim may reach beyond what is broad."""
_WALLED = 0.52
"""Least share of its surface that lies against good brain; of voids that are bone it is at most 0.47."""
_SEEN = 0.5
"""Least share of it that the network counts as brain."""
_LEAST_ML = 0.3


def with_whole_voids(brain: BoolArray, dark: BoolArray, grid: Grid) -> tuple[BoolArray, float]:
    """Take voids that the brain walls in into a brain mask that cuts through them.

    The measures were chosen on simulated patients of ``Purpose.TUNING``.

    Parameters
    ----------
    brain
        ``(x, y, z)`` bool, as the network sees it.
    dark
        ``(x, y, z)`` bool, where there is no signal.
    grid
        Geometry.

    Returns
    -------
    numpy.ndarray, float
        ``(x, y, z)`` bool mask, and the volume that was added in ml.
    """
    if not (brain & dark).any():
        return brain, 0.0
    reach = [round(_DENT_MM / size) + 1 for size in grid.voxel_size_mm]
    box = _box_of(brain, reach)
    inner, hollow = brain[box], _without_dents(brain[box], grid) & dark[box]
    labels, _ = ndimage.label(box_opened(hollow, grid, _BREADTH_MM))
    grown = brain.copy()
    steps = max(1, round(_RIM_MM / max(grid.voxel_size_mm)))
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        near = tuple(slice(max(0, s.start - steps - 1), s.stop + steps + 1) for s in place)
        broad = labels[near] == number
        if broad.sum() * grid.voxel_volume_mm3 < 1000 * _LEAST_ML:
            continue
        void = ndimage.binary_dilation(broad, iterations=steps, mask=hollow[near])
        surface = ndimage.binary_dilation(void) & ~void
        walled = (surface & inner[near] & ~dark[box][near]).sum() >= _WALLED * surface.sum()
        if walled and (void & inner[near]).sum() >= _SEEN * void.sum():
            grown[box][near] |= void
    return grown, float((grown & ~brain).sum()) * grid.voxel_volume_mm3 / 1000


def box_opened(mask: BoolArray, grid: Grid, radius_mm: float) -> BoolArray:
    """Keep what is broader than a box with half-widths of about a radius; the volume's faces eat nothing."""
    out = mask.astype(np.uint8)
    for run in (ndimage.minimum_filter1d, ndimage.maximum_filter1d):
        for axis, size in enumerate(grid.voxel_size_mm):
            reach = round(radius_mm / size)
            if reach > 0:
                out = run(out, 2 * reach + 1, axis=axis, mode="nearest")
    opened: BoolArray = mask & out.astype(np.bool_)
    return opened


def _box_of(brain: BoolArray, margin: list[int]) -> tuple[slice, ...]:
    return tuple(
        slice(max(0, s.start - m), s.stop + m)
        for s, m in zip(ndimage.find_objects(brain.astype(np.uint8))[0], margin, strict=True)
    )


def _without_dents(brain: BoolArray, grid: Grid) -> BoolArray:
    """Close a mask with a ball, on coarse voxels."""
    steps = [max(1, round(_COARSE_MM / size)) for size in grid.voxel_size_mm]
    sampling = [step * size for step, size in zip(steps, grid.voxel_size_mm, strict=True)]
    margin = [int(np.ceil(_DENT_MM / size)) + 1 for size in sampling]
    coarse = np.pad(brain[tuple(slice(None, None, step) for step in steps)], [(m, m) for m in margin])
    dilated = ndimage.distance_transform_edt(~coarse, sampling=sampling) <= _DENT_MM
    closed = ndimage.distance_transform_edt(dilated, sampling=sampling) > _DENT_MM
    fine = closed[tuple(slice(m, -m) for m in margin)]
    for axis, step in enumerate(steps):
        fine = fine.repeat(step, axis)
    within: BoolArray = fine[tuple(slice(n) for n in brain.shape)] | brain
    return within
