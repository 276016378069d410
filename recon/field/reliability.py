"""Which voxels of a field mean something, and which of the rest are open to what lies outside."""

from __future__ import annotations

import cc3d
import numpy as np
from scipy import ndimage

from recon.field.constants import FIELD
from recon.operators.lbv import interior
from recon.types import BoolArray, FloatArray, Grid, TotalField


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
    useful = np.asarray(mask & (noise_ppm < FIELD.useless_ppm))
    closed_mask = np.asarray(mask & ~_open_parts(np.asarray(mask & ~useful), mask, surface, grid))
    if ppm_per_2pi is None or not mask.any():
        return useful, closed_mask
    limit_ppm = max(FIELD.doubtful_turns * ppm_per_2pi, FIELD.doubtful_ratio * float(np.median(noise_ppm[mask])))
    weak = np.asarray(mask & (noise_ppm >= min(limit_ppm, FIELD.useless_ppm)))
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
    """Return the thin connected parts of a void of whose surface more than ``FIELD.open_share`` is outside the mask."""
    opened = np.zeros_like(mask)
    at_surface = void & surface
    if not at_surface.any():
        return opened
    labels = cc3d.connected_components(np.ascontiguousarray(void), connectivity=6)
    boxes = ndimage.find_objects(labels)
    for number in np.unique(labels[at_surface]):
        x, y, z = (slice(max(0, int(axis.start) - 1), int(axis.stop) + 1) for axis in boxes[int(number) - 1])
        part = labels[x, y, z] == number
        if _open_share(part, mask[x, y, z]) > FIELD.open_share and not _is_thick(part, grid):
            opened[x, y, z] |= part
    return opened


def _open_share(part: BoolArray, mask: BoolArray) -> float:
    """Return the share of the voxels around a part that lie outside the mask; there are none beyond the volume."""
    around = np.asarray(ndimage.binary_dilation(part) & ~part)
    return float(np.count_nonzero(around & ~mask)) / max(1, int(np.count_nonzero(around)))


def _is_thick(part: BoolArray, grid: Grid) -> bool:
    """Return whether a box of half-widths of about ``FIELD.dropout_mm`` fits into a part."""
    width = [2 * round(FIELD.dropout_mm / size) + 1 for size in grid.voxel_size_mm]
    least = ndimage.minimum_filter(part.astype(np.uint8), size=width, mode="constant", cval=0)
    return bool(np.any(least))
