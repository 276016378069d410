"""Open-ended fringe lines: what coils leave that were combined without their phases."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from recon.field.constants import FIELD
from recon.operators.coarse import CoarseGrid, ComplexArray
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
