"""Spatial unwrapping of one phase volume: ROMEO's weights, grown from several seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon.field.unwrap.edge_weights import edge_costs, quality_map
from recon.field.unwrap.growing import grow
from recon.types import BoolArray, FloatArray


@dataclass(frozen=True, kw_only=True)
class Unwrapped:
    """An unwrapped phase and its reliability.

    Parameters
    ----------
    phase_rad
        ``(x, y, z)`` float32; the input plus multiples of 2π, the input itself outside the mask.
    quality
        ``(x, y, z)`` float32 in 0..1, mean weight of the voxel's edges; zero outside the mask.
    """

    phase_rad: FloatArray
    quality: FloatArray


def unwrap(
    phase_rad: FloatArray,
    mask: BoolArray,
    *,
    magnitude: FloatArray | None = None,
    second_phase_rad: FloatArray | None = None,
    time_ratio: float = 1.0,
) -> Unwrapped:
    """Unwrap one volume in space.

    Parameters
    ----------
    phase_rad
        ``(x, y, z)`` float32 in radians.
    mask
        ``(x, y, z)`` bool; only voxels inside are unwrapped.
    magnitude
        ``(x, y, z)`` float32 of the same echo.
    second_phase_rad
        ``(x, y, z)`` float32 of another echo, to compare gradients with.
    time_ratio
        Echo time of ``phase_rad`` divided by that of ``second_phase_rad``.

    References
    ----------
    Dymerska et al., Magn Reson Med 2021, doi:10.1002/mrm.28563.
    """
    phase = np.ascontiguousarray(phase_rad, np.float32)
    costs = edge_costs(
        phase,
        np.ascontiguousarray(mask),
        magnitude=None if magnitude is None else np.ascontiguousarray(magnitude, np.float32),
        second_phase_rad=None if second_phase_rad is None else np.ascontiguousarray(second_phase_rad, np.float32),
        time_ratio=time_ratio,
    )
    shape: tuple[int, int, int] = phase.shape
    return Unwrapped(phase_rad=grow(phase, costs), quality=quality_map(costs, shape))
