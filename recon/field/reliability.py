"""Which voxels of a field mean something, and which of the rest are open to what lies outside."""

from __future__ import annotations

from typing import Final

import cc3d
import numpy as np
from scipy import ndimage

from recon.operators.lbv import interior
from recon.types import BoolArray, FloatArray, Grid, TotalField

# Settled like the steps of recon/network/consistency.py. Searched: 0.03 to 0.13 turns on single echoes, a turn of which
# is 0.11 to 0.65 ppm. Several echoes, whose first has a turn too wide to go wrong, only lose by doubt of this kind.
# Islands of 50 voxels and more, which ten of those looked at have, change none of them by more than 0.1 points.
USELESS_PPM: Final = 0.05
"""Noise of the field from which on its value is not used."""
DOUBTFUL_TURNS: Final = 0.045
"""Noise of a single echo, in turns of its phase, from which on a value may be doubted."""
DOUBTFUL_RATIO: Final = 3.0
"""Between the two, the noise of a doubtful voxel over the median. Such a voxel has lost most of the brain's signal: it
lies in a void, where phase is unwrapped a turn off more often than not."""
OPEN_SHARE: Final = 0.25
"""Share of a void's surface outside the mask from which on it is a dropout: 0.3 to 0.37 of most that tuning heads have,
0.02 to 0.11 of the voids of bleeds that reach the surface in tuning patients. 0.3 missed too many of the former."""

DROPOUT_MM: Final = 2.5
"""Half the breadth from which on an open void is kept as a bleed, as in recon/masking/rim.py: a dropout is thin."""


def total_field_of(
    field_ppm: FloatArray, noise_ppm: FloatArray, mask: BoolArray, grid: Grid, ppm_per_2pi: float | None = None
) -> TotalField:
    """Return a known field of known noise as a total field.

    Parameters
    ----------
    field_ppm, noise_ppm
        ``(x, y, z)`` float32 field and its standard deviation; what lies outside the mask does not count.
    mask
        ``(x, y, z)`` bool.
    grid
        Geometry.
    ppm_per_2pi
        As in :class:`recon.types.TotalField`.
    """
    field_ppm, noise_ppm = (np.where(mask, volume, np.float32(0)) for volume in (field_ppm, noise_ppm))
    reliable, closed_mask = reliability(noise_ppm, mask, grid, ppm_per_2pi)
    return TotalField(
        field_ppm=field_ppm,
        mask=mask,
        quality=mask.astype(np.float32),
        noise_ppm=noise_ppm,
        reliable=reliable,
        closed_mask=closed_mask,
        grid=grid,
        ppm_per_2pi=ppm_per_2pi,
    )


def reliability(
    noise_ppm: FloatArray, mask: BoolArray, grid: Grid, ppm_per_2pi: float | None = None
) -> tuple[BoolArray, BoolArray]:
    """Return the mask's voxels whose field means something, and the mask without voids that are open to its outside.

    A value that is not useless may be doubted, but only in voids inside the brain, and only of single echoes: at the
    brain's surface signal fades gradually and the phase stays right, and a field that is left out there is missed more
    than it is wrong. Likewise doubted is an island of good phase that a shell of bad phase cuts off, such as the inside
    of a bleed: the turn between it and the rest has not been seen.

    The field in a dropout at the brain's surface is a guess; as a boundary value it would spread through the whole
    brain. Without such thin voids, a good part of whose surface is open, what lies in them and behind them is one more
    outside source. A bleed stays in the closed mask, deep inside or with a window to the outside: without its void, the
    bleed itself would be taken for background and not be seen.

    Parameters
    ----------
    noise_ppm
        ``(x, y, z)`` float32 standard deviation of the field.
    mask
        ``(x, y, z)`` bool.
    grid
        Geometry.
    ppm_per_2pi
        Field of one turn of a single echo's phase; None if no turn can be wrong.

    Returns
    -------
    reliable, closed_mask : numpy.ndarray
        ``(x, y, z)`` bool, both within the mask.
    """
    surface = mask & ~interior(mask)
    useful = np.asarray(mask & (noise_ppm < USELESS_PPM))
    closed_mask = np.asarray(mask & ~_open_parts(np.asarray(mask & ~useful), mask, surface, grid))
    if ppm_per_2pi is None or not mask.any():
        return useful, closed_mask
    limit_ppm = max(DOUBTFUL_TURNS * ppm_per_2pi, DOUBTFUL_RATIO * float(np.median(noise_ppm[mask])))
    weak = np.asarray(mask & (noise_ppm >= min(limit_ppm, USELESS_PPM)))
    fading = _open_parts(weak, mask, surface, grid)
    reliable = np.asarray(useful & (~weak | fading))
    return np.asarray(reliable & ~_islands(reliable)), closed_mask


def _islands(reliable: BoolArray) -> BoolArray:
    """Return the reliable voxels that only lone voxels, or none, connect to the largest part.

    The parts that an erosion leaves grow back all at once; what the largest one does not reach first is an island.
    """
    core = np.ascontiguousarray(ndimage.binary_erosion(reliable, border_value=1))
    labels = cc3d.connected_components(core, connectivity=6)
    sizes = np.bincount(labels.ravel())
    if len(sizes) < 3:
        return np.zeros_like(reliable)
    sizes[0] = 0
    mainland = labels == sizes.argmax()
    islands = np.asarray(core & ~mainland)
    size, grown = 0, int(np.count_nonzero(islands))
    while grown > size:
        mainland = np.asarray(ndimage.binary_dilation(mainland, mask=reliable & ~islands))
        islands = np.asarray(ndimage.binary_dilation(islands, mask=reliable & ~mainland))
        size, grown = grown, int(np.count_nonzero(islands))
    return islands


def _open_parts(void: BoolArray, mask: BoolArray, surface: BoolArray, grid: Grid) -> BoolArray:
    """Return the thin connected parts of a void of whose surface more than :data:`OPEN_SHARE` is outside the mask."""
    opened = np.zeros_like(mask)
    at_surface = void & surface
    if not at_surface.any():
        return opened
    labels = cc3d.connected_components(np.ascontiguousarray(void), connectivity=6)
    boxes = ndimage.find_objects(labels)
    for number in np.unique(labels[at_surface]):
        x, y, z = (slice(max(0, int(axis.start) - 1), int(axis.stop) + 1) for axis in boxes[int(number) - 1])
        part = labels[x, y, z] == number
        if _open_share(part, mask[x, y, z]) > OPEN_SHARE and not _is_thick(part, grid):
            opened[x, y, z] |= part
    return opened


def _open_share(part: BoolArray, mask: BoolArray) -> float:
    """Return the share of the voxels around a part that lie outside the mask; there are none beyond the volume."""
    around = np.asarray(ndimage.binary_dilation(part) & ~part)
    return float(np.count_nonzero(around & ~mask)) / max(1, int(np.count_nonzero(around)))


def _is_thick(part: BoolArray, grid: Grid) -> bool:
    """Return whether a box of half-widths of about :data:`DROPOUT_MM` fits into a part."""
    width = [2 * round(DROPOUT_MM / size) + 1 for size in grid.voxel_size_mm]
    least = ndimage.minimum_filter(part.astype(np.uint8), size=width, mode="constant", cval=0)
    return bool(np.any(least))
