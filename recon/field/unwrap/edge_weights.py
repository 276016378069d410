"""ROMEO's edge weights: how much the phase step between two neighbouring voxels is worth.

Each edge gets ``w = Π (0.1 + 0.9 c)`` over phase coherence, phase-gradient coherence between two
echoes, phase linearity along the edge's line and magnitude coherence, stored as a cost of 1 (best) to
255 (worst); 0 is no edge.

References
----------
Dymerska et al., Magn Reson Med 2021, doi:10.1002/mrm.28563.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recon.operators.slabs import compiled, in_slabs
from recon.operators.wrap import wrap_scalar
from recon.types import BoolArray, FloatArray

CostArray = npt.NDArray[np.uint8]

_PI = np.float32(np.pi)
_LINEARITY_AT_BORDER = np.float32(0.9)


@compiled
def _factor(coherence: np.float32) -> np.float32:
    return np.float32(0.1) + np.float32(0.9) * max(np.float32(0), coherence)


@compiled
def _bend(before: np.float32, middle: np.float32, after: np.float32) -> np.float32:
    """Linearity of three phases in a row: 1 is a straight line."""
    return np.float32(1) - abs(wrap_scalar(before - 2 * middle + after)) * np.float32(0.5)


@compiled
def _linearity(phase: FloatArray, i: int, j: int, step: int, at: int, length: int) -> np.float32:
    """Product of the linearity of both triplets that contain the edge from voxel i to voxel j."""
    before = _bend(phase[i - step], phase[i], phase[j]) if at > 0 else _LINEARITY_AT_BORDER
    after = _bend(phase[i], phase[j], phase[j + step]) if at + 2 < length else _LINEARITY_AT_BORDER
    return max(np.float32(0), before) * max(np.float32(0), after)


@compiled
def _edge_cost(
    phase: FloatArray,
    second: FloatArray,
    ratio: np.float32,
    magnitude: FloatArray,
    i: int,
    step: int,
    at: int,
    length: int,
) -> int:
    j = i + step
    difference = wrap_scalar(phase[j] - phase[i])
    weight = _factor(np.float32(1) - abs(difference) / _PI)
    if second.size > 0:
        other = wrap_scalar(second[j] - second[i]) * ratio
        weight *= _factor(np.float32(1) - abs(difference - other))
    weight *= _factor(_linearity(phase, i, j, step, at, length))
    if magnitude.size > 0:
        small, big = min(magnitude[i], magnitude[j]), max(magnitude[i], magnitude[j])
        quotient = small / big if big > 0 else np.float32(0)
        weight *= _factor(quotient * quotient)
    return max(1, min(255, int(255 - 254 * weight)))


@compiled
def _costs(
    start: int,
    stop: int,
    shape: tuple[int, int, int],
    phase: FloatArray,
    second: FloatArray,
    ratio: np.float32,
    magnitude: FloatArray,
    mask: BoolArray,
    costs: CostArray,
) -> None:
    _, ny, nz = shape
    steps = (ny * nz, nz, 1)
    for x in range(start, stop):
        for y in range(ny):
            for z in range(nz):
                i = (x * ny + y) * nz + z
                at = (x, y, z)
                for axis in range(3):
                    inside = at[axis] + 1 < shape[axis] and mask[i] and mask[i + steps[axis]]
                    costs[i, axis] = (
                        _edge_cost(phase, second, ratio, magnitude, i, steps[axis], at[axis], shape[axis])
                        if inside
                        else 0
                    )


def edge_costs(
    phase_rad: FloatArray,
    mask: BoolArray,
    *,
    magnitude: FloatArray | None = None,
    second_phase_rad: FloatArray | None = None,
    time_ratio: float = 1.0,
) -> CostArray:
    """Return the cost of crossing each edge between neighbours inside the mask.

    Parameters
    ----------
    phase_rad
        ``(x, y, z)`` float32, wrapped or not.
    mask
        ``(x, y, z)`` bool.
    magnitude
        ``(x, y, z)`` float32 of the same echo; None leaves magnitude coherence out.
    second_phase_rad
        ``(x, y, z)`` float32 of another echo; None leaves gradient coherence out.
    time_ratio
        Echo time of ``phase_rad`` divided by that of ``second_phase_rad``.

    Returns
    -------
    numpy.ndarray
        ``(x·y·z, 3)`` uint8: for each axis and voxel, the edge to the next voxel on that axis; 0 is
        no edge.
    """
    shape = phase_rad.shape
    nothing = np.empty(0, np.float32)
    costs: CostArray = np.empty((phase_rad.size, 3), np.uint8)
    in_slabs(
        _costs,
        shape[0],
        shape,
        phase_rad.reshape(-1),
        nothing if second_phase_rad is None else second_phase_rad.reshape(-1),
        np.float32(time_ratio),
        nothing if magnitude is None else magnitude.reshape(-1),
        mask.reshape(-1),
        costs,
    )
    return costs


@compiled
def _mean_weight(start: int, stop: int, shape: tuple[int, int, int], costs: CostArray, quality: FloatArray) -> None:
    ny, nz = shape[1], shape[2]
    steps = (ny * nz, nz, 1)
    for i in range(start * ny * nz, stop * ny * nz):
        total, count = 0, 0
        for axis in range(3):
            forward = costs[i, axis]
            backward = costs[i - steps[axis], axis] if i >= steps[axis] else np.uint8(0)
            for neighbour in (forward, backward):
                if neighbour > 0:
                    total += 255 - int(neighbour)
                    count += 1
        quality[i] = total / np.float32(254 * count) if count > 0 else np.float32(0)


def quality_map(costs: CostArray, shape: tuple[int, int, int]) -> FloatArray:
    """Return the mean weight of each voxel's (up to six) edges, ``(x, y, z)`` float32 in 0..1.

    Zero where a voxel has no edge.
    """
    quality: FloatArray = np.empty(shape, np.float32)
    in_slabs(_mean_weight, shape[0], shape, costs, quality.reshape(-1))
    return quality
