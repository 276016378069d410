"""Smooth quantities on a coarse grid: block sums of phasors, and the way back to full resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from recon.operators.slabs import compiled, in_slabs
from recon.types import BoolArray, FloatArray, Grid

ComplexArray = npt.NDArray[np.complex64]

CELL_MM = 4.0
"""Edge length that a coarse cell comes close to; phase offsets of coils change over centimetres."""


@dataclass(frozen=True, kw_only=True)
class CoarseGrid:
    """How a volume of ``fine_shape`` is cut into cells of ``block`` voxels, each of ``cell_mm``, along x, y, z."""

    fine_shape: tuple[int, int, int]
    block: tuple[int, int, int]
    cell_mm: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cells along x, y, z; the last cell of an axis may be cut."""
        x, y, z = (-(-n // b) for n, b in zip(self.fine_shape, self.block, strict=True))
        return x, y, z


def coarse_grid(grid: Grid, cell_mm: float = CELL_MM) -> CoarseGrid:
    """Return the cells of about a size that cover a grid."""
    bx, by, bz = (max(1, round(cell_mm / size)) for size in grid.voxel_size_mm)
    sx, sy, sz = grid.voxel_size_mm
    return CoarseGrid(fine_shape=grid.shape, block=(bx, by, bz), cell_mm=(bx * sx, by * sy, bz * sz))


@compiled
def _block_phasors(
    start: int,
    stop: int,
    block: tuple[int, int, int],
    phase: FloatArray,
    reference: FloatArray,
    ratio: np.float32,
    magnitude: FloatArray,
    mask: BoolArray,
    out: ComplexArray,
) -> None:
    ny, nz = phase.shape[1], phase.shape[2]
    for cx in range(start, stop):
        for x in range(cx * block[0], min(phase.shape[0], (cx + 1) * block[0])):
            for y in range(ny):
                for z in range(nz):
                    if mask[x, y, z]:
                        angle = phase[x, y, z] - ratio * reference[x, y, z]
                        weight = magnitude[x, y, z]
                        phasor = complex(weight * np.cos(angle), weight * np.sin(angle))
                        out[cx, y // block[1], z // block[2]] += phasor


def block_phasors(
    phase_rad: FloatArray,
    reference_rad: FloatArray,
    ratio: float,
    magnitude: FloatArray,
    mask: BoolArray,
    coarse: CoarseGrid,
) -> ComplexArray:
    """Return per cell the sum of ``magnitude · exp(i (phase - ratio · reference))`` over the mask.

    All inputs are ``(x, y, z)``; the result has the shape of the coarse grid, complex64.
    """
    out: ComplexArray = np.zeros(coarse.shape, np.complex64)
    given = (phase_rad, reference_rad, np.float32(ratio), magnitude, mask)
    in_slabs(_block_phasors, coarse.shape[0], coarse.block, *given, out)
    return out


@compiled
def _block_sums(
    start: int,
    stop: int,
    block: tuple[int, int, int],
    volume: npt.NDArray[np.float32 | np.bool_],
    out: FloatArray,
) -> None:
    for cx in range(start, stop):
        for x in range(cx * block[0], min(volume.shape[0], (cx + 1) * block[0])):
            for y in range(volume.shape[1]):
                sums, row = out[cx, y // block[1]], volume[x, y]
                for cz in range(sums.size):
                    total = np.float32(0)
                    for z in range(cz * block[2], min(row.size, (cz + 1) * block[2])):
                        total += np.float32(row[z])
                    sums[cz] += total


def block_mean(volume: npt.NDArray[np.float32 | np.bool_], coarse: CoarseGrid) -> FloatArray:
    """Return the mean of each cell's voxels, ``(x, y, z)`` float32; voxels beyond the volume count as zero."""
    out: FloatArray = np.zeros(coarse.shape, np.float32)
    in_slabs(_block_sums, coarse.shape[0], coarse.block, np.ascontiguousarray(volume), out)
    out /= np.float32(np.prod(coarse.block))
    return out


@compiled
def _cell_position(i: int, block: int, cells: int) -> tuple[int, int, np.float32]:
    """Return the two cells around a voxel and the share of the second."""
    position = min(
        max((np.float32(i) + np.float32(0.5)) / np.float32(block) - np.float32(0.5), np.float32(0)),
        np.float32(cells - 1),
    )
    low = int(position)
    return low, min(low + 1, cells - 1), np.float32(position - low)


@compiled
def _upsample(start: int, stop: int, block: tuple[int, int, int], cells: FloatArray, out: FloatArray) -> None:
    one, count = np.float32(1), cells.shape[2]
    line, share = np.empty(count + 1, np.float32), np.empty(out.shape[2], np.float32)
    below = np.empty(out.shape[2], np.int64)
    for z in range(out.shape[2]):
        below[z], _, share[z] = _cell_position(z, block[2], count)
    for x in range(start, stop):
        x0, x1, fx = _cell_position(x, block[0], cells.shape[0])
        for y in range(out.shape[1]):
            y0, y1, fy = _cell_position(y, block[1], cells.shape[1])
            for c in range(count):
                near = (one - fy) * cells[x0, y0, c] + fy * cells[x0, y1, c]
                line[c] = (one - fx) * near + fx * ((one - fy) * cells[x1, y0, c] + fy * cells[x1, y1, c])
            line[count] = line[count - 1]
            for z in range(out.shape[2]):
                at = below[z]
                out[x, y, z] = line[at] + share[z] * (line[at + 1] - line[at])


def upsample(cells: FloatArray, coarse: CoarseGrid) -> FloatArray:
    """Return values of cell centres interpolated linearly to voxels, ``(x, y, z)`` float32."""
    out: FloatArray = np.empty(coarse.fine_shape, np.float32)
    in_slabs(_upsample, out.shape[0], coarse.block, np.ascontiguousarray(cells, np.float32), out)
    return out


@compiled
def _deviations(
    start: int,
    stop: int,
    block: tuple[int, int, int],
    values: FloatArray,
    weight: FloatArray,
    smooth: FloatArray,
    scale: np.float32,
    total: FloatArray,
    weights: FloatArray,
) -> None:
    for x in range(start * block[0], min(values.shape[0], stop * block[0])):
        for y in range(values.shape[1]):
            for z in range(values.shape[2]):
                own = weight[x, y, z]
                if own > 0:
                    deviation = values[x, y, z] - smooth[x, y, z]
                    own /= (np.float32(1) + own * deviation * deviation / scale) ** 2
                    cell = (x // block[0], y // block[1], z // block[2])
                    total[cell] += own * deviation
                    weights[cell] += own


def smooth_part(
    values: FloatArray, weight: FloatArray, coarse: CoarseGrid, sigma_mm: float, rounds: int, outlier: float
) -> FloatArray:
    """Return the smooth part of values, to which outliers add little.

    Each round adds the weighted mean, under a Gaussian, of what the rounds before have left: of a wave, the last one
    leaves the power ``rounds`` of what one Gaussian leaves. From the second round on a value whose squared deviation,
    times its weight, is ``outlier`` times the median one counts a quarter.

    Parameters
    ----------
    values
        ``(x, y, z)`` float32.
    weight
        ``(x, y, z)`` float32, proportional to the inverse variance; zero leaves a value out.
    coarse
        Cells on which the means are worked out.
    sigma_mm
        Standard deviation of the Gaussian.
    rounds, outlier
        As above.
    """
    smooth, cells, scale = np.zeros_like(values), np.zeros(coarse.shape, np.float32), np.float32(np.inf)
    sigma = [sigma_mm / size for size in coarse.cell_mm]
    for done in range(rounds):
        if done == 1:
            scale = np.float32(outlier * median_square(values - smooth, weight))
        sums = np.zeros((2, *coarse.shape), np.float32)
        in_slabs(_deviations, coarse.shape[0], coarse.block, values, weight, smooth, scale, *sums)
        total, weights = (ndimage.gaussian_filter(v, sigma, mode="constant", truncate=4.0) for v in sums)
        least = np.float32(1e-6) * weights.max(initial=0) + np.finfo(np.float32).tiny
        cells += total / np.maximum(weights, least)
        smooth = upsample(cells, coarse)
    return smooth


def median_square(deviation: FloatArray, weight: FloatArray) -> float:
    """Return the median of ``weight · deviation²`` where there is weight, from every third voxel along each axis."""
    deviation, weight = (v[::3, ::3, ::3] for v in (deviation, weight))
    squares = (weight * deviation**2)[weight > 0]
    return max(float(np.median(squares)) if squares.size else 0.0, float(np.finfo(np.float32).tiny))
