"""Open-ended fringe lines: what coils leave that were combined without their phases.

Around such a line the phase offset turns by 2π within millimetres, and nothing smooth describes it. With one the
offset is therefore taken from the voxels themselves, as ``φ_e - (TE_e/T) θ``, where ``θ`` is the phase difference of
two echoes: the offset is not in it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from recon.field.constants import FIELD
from recon.operators.coarse import CoarseGrid, ComplexArray, upsample
from recon.operators.wrap import wrap
from recon.types import BoolArray, FloatArray

Scalar = TypeVar("Scalar", np.float32, np.bool_)

_RING = ((0, 0), (1, 0), (1, 1), (0, 1))
"""Corners of an elementary loop, in order."""


def fringe_length_mm(phasors: ComplexArray, coarse: CoarseGrid) -> float:
    """Return the length of the lines around which the smoothed phase offset turns by 2π where there is signal.

    A sound combination of coils has no such line.
    """
    strength = np.abs(phasors)
    if not strength.any():
        return 0.0
    strong = strength > FIELD.fringe_strength_share * np.percentile(strength[strength > 0], 90)
    angle = np.angle(phasors).astype(np.float32)
    length_mm = 0.0
    for axis in range(3):
        u, v = (a for a in range(3) if a != axis)
        whole = np.logical_and.reduce([_corner(strong, u, v, *at) for at in _RING])
        length_mm += float(np.count_nonzero(_winding(angle, u, v) & whole)) * coarse.cell_mm[axis]
    return length_mm


def offset_with_lines(
    smooth_rad: FloatArray, own_phasors: ComplexArray, coarse: CoarseGrid, voxel_size_mm: tuple[float, float, float]
) -> FloatArray:
    """Return an offset that is each voxel's own, but for a little smoothing, or the smooth one where it has none.

    It is ``(x, y, z)`` float32, wrapped: with open-ended fringe lines no offset is free of jumps by 2π.

    Parameters
    ----------
    smooth_rad
        ``(x, y, z)`` float32 on the coarse grid, the smooth offset.
    own_phasors
        ``(x, y, z)`` complex64, each voxel's offset, weighted by its magnitude.
    coarse
        The coarse grid.
    voxel_size_mm
        Of the voxels.
    """
    sigma = [FIELD.fringe_smoothing_mm / size for size in voxel_size_mm]
    own = ndimage.gaussian_filter(own_phasors, sigma, mode="constant", truncate=3.0)
    none = own_phasors == 0
    own[none] = (upsample(np.cos(smooth_rad), coarse) + 1j * upsample(np.sin(smooth_rad), coarse))[none]
    offset_rad: FloatArray = np.angle(own).astype(np.float32)
    return offset_rad


def _corner(array: npt.NDArray[Scalar], u: int, v: int, du: int, dv: int) -> npt.NDArray[Scalar]:
    index = [slice(None)] * 3
    for axis, d in ((u, du), (v, dv)):
        index[axis] = slice(d, array.shape[axis] - 1 + d)
    return array[tuple(index)]


def _winding(angle: FloatArray, u: int, v: int) -> BoolArray:
    """Return the elementary loops in the plane of two axes around which the phase turns once."""
    ring = [_corner(angle, u, v, *at) for at in (*_RING, _RING[0])]
    total = sum(wrap(b - a) for a, b in pairwise(ring))
    turn: BoolArray = np.abs(np.asarray(total)) > np.pi
    return turn
