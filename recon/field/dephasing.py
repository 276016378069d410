"""What a steep field does to a voxel's echoes: dephasing, after which a phase no longer tells the mean field.

Where the field changes by ``T`` turns across a voxel until an echo, the parts of the voxel point in different
directions. What is left of the signal is not that of the mean field: parts with more signal count more, and beyond one
turn the sum even changes its sign. To the order at which it begins the phase is wrong by ``β T²``; beside the
magnitude's noise ``σ`` an echo of magnitude ``m`` then counts ``1 / ((σ / m)² + (β T²)²)``.

References
----------
Reichenbach et al., J Magn Reson Imaging 1997, doi:10.1002/jmri.1880070127 (dephasing in steep fields).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recon.operators.slabs import compiled, in_slabs
from recon.operators.wrap import TWO_PI
from recon.types import BoolArray, FloatArray


@compiled
def echo_weight(
    magnitude: np.float32, time_s: np.float32, spread_hz: np.float32, bias_per_noise: np.float32
) -> np.float32:
    """Return the inverse variance of an echo's phase, in units of the inverse variance of the magnitude's noise."""
    power = magnitude * magnitude
    bias = bias_per_noise * (spread_hz * time_s) ** 2
    return power / (np.float32(1) + power * bias * bias)


@compiled
def _squared_steps(
    i: int, shape: tuple[int, int, int], field: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]
) -> np.float32:
    """Return the sum over the axes of the mean squared step from a voxel to its neighbours in the mask."""
    ny, nz = shape[1], shape[2]
    total = np.float32(0)
    for axis, (at, step) in enumerate(((i // (ny * nz), ny * nz), (i // nz % ny, nz), (i % nz, 1))):
        squares, count = np.float32(0), 0
        if at > 0 and mask[i - step]:
            squares += (field[i] - field[i - step]) ** 2
            count += 1
        if at + 1 < shape[axis] and mask[i + step]:
            squares += (field[i + step] - field[i]) ** 2
            count += 1
        total += squares / np.float32(max(count, 1))
    return total


@compiled
def _spread(
    start: int,
    stop: int,
    shape: tuple[int, int, int],
    field: npt.NDArray[np.float32],
    mask: npt.NDArray[np.bool_],
    spread: npt.NDArray[np.float32],
) -> None:
    plane = shape[1] * shape[2]
    for i in range(start * plane, stop * plane):
        if mask[i]:
            spread[i] = np.sqrt(_squared_steps(i, shape, field, mask)) / np.float32(TWO_PI)


def field_spread_hz(field_rad_per_s: FloatArray, mask: BoolArray) -> FloatArray:
    """Return by how much the field changes across each voxel of the mask, ``(x, y, z)`` float32 in Hz, else zero."""
    spread = np.zeros(field_rad_per_s.shape, np.float32)
    flat = (v.reshape(-1) for v in (field_rad_per_s, mask, spread))
    in_slabs(_spread, len(field_rad_per_s), field_rad_per_s.shape, *flat)
    return spread
