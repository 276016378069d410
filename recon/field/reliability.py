"""Which voxels of a field mean something, and which of the rest are open to what lies outside."""

from __future__ import annotations

from typing import Final

import cc3d
import numpy as np
from scipy import ndimage

from recon.operators.lbv import interior
from recon.types import BoolArray, FloatArray, Grid

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


def trusted_voxels(noise_ppm: FloatArray, mask: BoolArray, grid: Grid, ppm_per_2pi: float | None = None) -> BoolArray:
    """Return the mask's voxels whose field means something.

    What is not useless is doubted in voids inside the brain only, and of single echoes only: at its surface signal
    fades gradually and the phase stays right, and a field that is left out there is missed more than it is wrong.
    Likewise doubted is an island of good phase that a shell of bad phase cuts off, such as the inside of a bleed: the
    turn between it and the rest has not been seen.

    Parameters
    ----------
    noise_ppm
        ``(x, y, z)`` float32 standard deviation of the field.
    mask
        ``(x, y, z)`` bool.
    grid
        Geometry.
    ppm_per_2pi
        What a turn of a single echo's phase makes of the field; None if no turn can be wrong.
    """
    useful = np.asarray(mask & (noise_ppm < USELESS_PPM))
    if ppm_per_2pi is None or not mask.any():
        return useful
    limit_ppm = max(DOUBTFUL_TURNS * ppm_per_2pi, DOUBTFUL_RATIO * float(np.median(noise_ppm[mask])))
    weak = np.asarray(mask & (noise_ppm >= min(limit_ppm, USELESS_PPM)))
    fading = _open_parts(weak, mask, grid)
    trusted = np.asarray(useful & (~weak | fading))
    return np.asarray(trusted & ~_islands(trusted))


def _islands(trusted: BoolArray) -> BoolArray:
    """Return what hangs together with the largest part of the trusted voxels by lone voxels or not at all.

    What an erosion leaves apart grows back from all its parts at once; what its largest part does not reach first is an
    island.
    """
    core = np.ascontiguousarray(ndimage.binary_erosion(trusted, border_value=1))
    labels = cc3d.connected_components(core, connectivity=6)
    sizes = np.bincount(labels.ravel())
    if len(sizes) < 3:
        return np.zeros_like(trusted)
    sizes[0] = 0
    mainland = labels == sizes.argmax()
    islands = np.asarray(core & ~mainland)
    size, grown = 0, int(np.count_nonzero(islands))
    while grown > size:
        mainland = np.asarray(ndimage.binary_dilation(mainland, mask=trusted & ~islands))
        islands = np.asarray(ndimage.binary_dilation(islands, mask=trusted & ~mainland))
        size, grown = grown, int(np.count_nonzero(islands))
    return islands


def without_open_voids(mask: BoolArray, noise_ppm: FloatArray, grid: Grid) -> BoolArray:
    """Return the mask without thin voids that a good part of their surface opens to its outside.

    What stands in a dropout at the brain's surface is a guess; as a boundary value it would spread through the whole
    brain. Take it out, and what lies in it and behind it is one outside source more. A bleed stays, deep inside or
    with a window to the outside: without its void, the bleed itself would be taken for background and not be seen.

    Parameters
    ----------
    mask
        ``(x, y, z)`` bool.
    noise_ppm
        ``(x, y, z)`` float32 standard deviation of the field.
    grid
        Geometry.
    """
    return np.asarray(mask & ~_open_parts(np.asarray(mask & (noise_ppm >= USELESS_PPM)), mask, grid))


def _open_parts(void: BoolArray, mask: BoolArray, grid: Grid) -> BoolArray:
    """Return the thin connected parts of a void in a mask that more than :data:`OPEN_SHARE` of their surface opens."""
    opened = np.zeros_like(mask)
    at_surface = void & ~interior(mask)
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
    """Return the share of the voxels around a part that lie outside the mask; beyond the volume's faces are none."""
    around = np.asarray(ndimage.binary_dilation(part) & ~part)
    return float(np.count_nonzero(around & ~mask)) / max(1, int(np.count_nonzero(around)))


def _is_thick(part: BoolArray, grid: Grid) -> bool:
    """Return whether a box of half-widths of about :data:`DROPOUT_MM` fits into a part."""
    width = [2 * round(DROPOUT_MM / size) + 1 for size in grid.voxel_size_mm]
    least = ndimage.minimum_filter(part.astype(np.uint8), size=width, mode="constant", cval=0)
    return bool(np.any(least))
