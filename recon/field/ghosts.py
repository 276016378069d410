"""Ghosts of the head beside it, as breathing, flow and unequal lines make them along the phase-encoding direction."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from recon.types import BoolArray, FloatArray, GradientEcho

_SAMPLED_MM = 2.5
_SCALP_MM = 18.0
"""Distance from the brain within which there is scalp."""
_QUANTILE = 0.25
"""A ghost fills its place; face and neck fill a part of it."""
_LEAST_VOXELS = 500


def ghost_percent(echoes: GradientEcho, brain: BoolArray) -> float | None:
    """Return how much brighter air is along one axis than along the other, where a ghost would lie, in % of the brain.

    A ghost by half a field of view lies on air whose counterpart, that far away, is brain. Of the two axes across B0
    one is not the phase-encoding direction, and tells the noise. First and last echo are looked at.

    Parameters
    ----------
    echoes
        The acquisition.
    brain
        ``(x, y, z)`` bool, all of the brain.

    Returns
    -------
    float or None
        The larger of the two echoes; None where too little air is in the field of view.
    """
    stride = [max(1, round(_SAMPLED_MM / mm)) for mm in echoes.grid.voxel_size_mm]
    some = tuple(slice(None, None, step) for step in stride)
    size_mm = [step * mm for step, mm in zip(stride, echoes.grid.voxel_size_mm, strict=True)]
    inside = brain[some]
    air = ndimage.distance_transform_edt(~inside, sampling=size_mm) > _SCALP_MM
    across = np.argsort(np.abs(echoes.grid.b0_direction))[:2]
    places = [air & np.roll(inside, inside.shape[axis] // 2, axis) for axis in across]
    if not inside.any() or min(np.count_nonzero(place) for place in places) < _LEAST_VOXELS:
        return None
    return max(_difference_percent(magnitude[some], inside, places) for magnitude in echoes.magnitude[[0, -1]])


def _difference_percent(magnitude: FloatArray, inside: BoolArray, places: list[BoolArray]) -> float:
    levels = [float(np.quantile(magnitude[place], _QUANTILE)) for place in places]
    return 100 * (max(levels) - min(levels)) / max(float(np.median(magnitude[inside])), 1e-20)
