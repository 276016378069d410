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
_TINY = np.float32(1e-30)


@compiled
def _factor(coherence: np.float32) -> np.float32:
    return np.float32(0.1) + np.float32(0.9) * max(np.float32(0), coherence)


@compiled
def _bend(before: np.float32, middle: np.float32, after: np.float32) -> np.float32:
    """Linearity of three phases in a row: 1 is a straight line."""
    return np.float32(1) - abs(wrap_scalar(before - np.float32(2) * middle + after)) * np.float32(0.5)


@compiled
def _row_costs(
    count: int,
    i: int,
    step: int,
    inner: tuple[bool, bool],
    phase: FloatArray,
    second: FloatArray,
    ratio: np.float32,
    magnitude: FloatArray,
    mask: BoolArray,
    costs: CostArray,
) -> None:
    """Work out the cost of ``count`` edges from voxels in a row to those a ``step`` on, without a branch for each.

    ``inner`` says whether there are voxels before the edges and behind them, with which a line is looked for.
    """
    here, on = phase[i : i + count], phase[i + step : i + step + count]
    before = phase[i - step : i - step + count] if inner[0] else here
    behind = phase[i + 2 * step : i + 2 * step + count] if inner[1] else here
    other_here, other_on = here, on
    if second.size > 0:
        other_here, other_on = second[i : i + count], second[i + step : i + step + count]
    bright_here, bright_on = here, on
    if magnitude.size > 0:
        bright_here, bright_on = magnitude[i : i + count], magnitude[i + step : i + step + count]
    inside_here, inside_on = mask[i : i + count], mask[i + step : i + step + count]
    for z in range(count):
        difference = wrap_scalar(on[z] - here[z])
        weight = _factor(np.float32(1) - abs(difference) / _PI)
        if second.size > 0:
            other = wrap_scalar(other_on[z] - other_here[z]) * ratio
            weight *= _factor(np.float32(1) - abs(difference - other))
        first = _bend(before[z], here[z], on[z]) if inner[0] else _LINEARITY_AT_BORDER
        last = _bend(here[z], on[z], behind[z]) if inner[1] else _LINEARITY_AT_BORDER
        weight *= _factor(max(np.float32(0), first) * max(np.float32(0), last))
        if magnitude.size > 0:
            small, big = min(bright_here[z], bright_on[z]), max(bright_here[z], bright_on[z])
            quotient = small / max(big, _TINY)
            weight *= _factor(quotient * quotient)
        cost = max(np.int32(1), min(np.int32(255), np.int32(np.float32(255) - np.float32(254) * weight)))
        costs[z] = np.uint8(cost) if inside_here[z] & inside_on[z] else np.uint8(0)


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
    nx, ny, nz = shape
    row = np.zeros((3, nz), np.uint8)
    given = (phase, second, ratio, magnitude, mask)
    for x in range(start, stop):
        for y in range(ny):
            i = (x * ny + y) * nz
            row[:] = 0
            if x + 1 < nx:
                _row_costs(nz, i, ny * nz, (x > 0, x + 2 < nx), *given, row[0])
            if y + 1 < ny:
                _row_costs(nz, i, nz, (y > 0, y + 2 < ny), *given, row[1])
            if nz > 1:
                _row_costs(1, i, 1, (False, nz > 2), *given, row[2])
            if nz > 2:
                _row_costs(nz - 3, i + 1, 1, (True, True), *given, row[2, 1:])
                _row_costs(1, i + nz - 2, 1, (True, False), *given, row[2, nz - 2 :])
            for z in range(nz):
                for axis in range(3):
                    costs[i + z, axis] = row[axis, z]


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
