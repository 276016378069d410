"""The field of outside sources by its values on the brain's surface.

Inside the mask a background field is harmonic, so its values on the surface fix it everywhere (Zhou 2014,
Laplacian boundary value, doi:10.1002/nbm.3064). The surface values are taken from the total field; the solution is
found coarse to fine with red-black over-relaxation, compiled, without any Python loop over voxels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import ndimage

from recon.operators.coarse import CoarseGrid, block_mean
from recon.operators.slabs import compiled, in_slabs
from recon.types import BoolArray, FloatArray, Grid

SWEEPS: Final = 40
"""Relaxation sweeps on every level, for a background that is far stronger than what it hides."""
_COARSEST = 10
"""Stop coarsening when an axis would have fewer voxels."""
_WORTH_THREADS = 50_000
"""Voxels from which on threads are quicker than one."""
_MEMBRANE_SWEEPS = 60
_MEMBRANE_OMEGA = 1.7
_EXTENSION_MM = (3.0, 9.0)
_LEAST_SHARE = 1e-3


def harmonic_background(field_ppm: FloatArray, mask: BoolArray, grid: Grid, sweeps: int = SWEEPS) -> FloatArray:
    """Return the harmonic field inside ``mask`` that equals the total field on its outermost voxels; zero outside.

    All are ``(x, y, z)``, fields in ppm; ``sweeps`` are those on every level.
    """
    masked = np.where(mask, field_ppm, np.float32(0)).astype(np.float32, copy=False)
    return _solve(masked, np.ascontiguousarray(mask), grid.voxel_size_mm, sweeps)


def harmonic_local_field(field_ppm: FloatArray, mask: BoolArray, grid: Grid, sweeps: int = SWEEPS) -> FloatArray:
    """Return the total field without its harmonic part, zero on the mask's outermost voxels.

    The outermost layer is peeled off before its values are believed: a mask that reaches into bone or air by one voxel
    would otherwise spread the field of that voxel through the whole brain. Arguments as in
    :func:`harmonic_background`.
    """
    peeled = interior(mask)
    background = harmonic_background(field_ppm, peeled, grid, sweeps)
    return np.where(peeled, field_ppm - background, np.float32(0)).astype(np.float32, copy=False)


def interpolate_doubtful(field_ppm: FloatArray, reliable: BoolArray, mask: BoolArray, grid: Grid) -> FloatArray:
    """Return the field with the membrane through its reliable neighbours where it is not reliable.

    The phase of a voxel without signal is random; left in, it streaks through the whole map, and left out of the mask
    it punches a hole into the very bleed that is looked for. All volumes are ``(x, y, z)``.
    """
    doubtful = mask & ~reliable
    if not doubtful.any() or not (mask & reliable).any():
        return field_ppm
    known = mask & reliable
    smooth = _smooth_extension(field_ppm, known, grid)
    guess = np.where(known, field_ppm, smooth).astype(np.float32, copy=False)
    free = doubtful.copy()
    free[[0, -1]] = free[:, [0, -1]] = free[:, :, [0, -1]] = False
    _relax(guess, free, grid.voxel_size_mm, _MEMBRANE_SWEEPS, _MEMBRANE_OMEGA)
    return np.where(mask, guess, np.float32(0)).astype(np.float32, copy=False)


def _smooth_extension(field_ppm: FloatArray, known: BoolArray, grid: Grid) -> FloatArray:
    """Return the mean of the known field around every voxel, from farther away where there is none near."""
    extended = np.full(field_ppm.shape, np.mean(field_ppm[known]), dtype=np.float32)
    for width_mm in _EXTENSION_MM[::-1]:
        sigma = [width_mm / s for s in grid.voxel_size_mm]
        share = ndimage.gaussian_filter(known.astype(np.float32), sigma, truncate=3.0)
        total = ndimage.gaussian_filter(np.where(known, field_ppm, np.float32(0)), sigma, truncate=3.0)
        enough = share > _LEAST_SHARE
        extended[enough] = total[enough] / share[enough]
    return extended


def _solve(field_ppm: FloatArray, mask: BoolArray, size_mm: tuple[float, float, float], sweeps: int) -> FloatArray:
    """Solve on this level, starting from the solution of the next coarser one."""
    free = interior(mask)
    factors = coarsening(mask.shape, size_mm)
    guess = field_ppm.copy()
    if factors != (1, 1, 1) and free.any():
        coarse_field, coarse_mask = _restrict(field_ppm, mask, factors)
        coarse_size = (size_mm[0] * factors[0], size_mm[1] * factors[1], size_mm[2] * factors[2])
        coarse = _solve(coarse_field, coarse_mask, coarse_size, sweeps)
        in_slabs(_prolong, guess.shape[0], coarse, coarse_mask, guess, free, np.array(factors))
    _relax(guess, free, size_mm, sweeps, over_relaxation(mask.shape, sweeps))
    return guess


def over_relaxation(shape: tuple[int, ...], sweeps: int) -> float:
    """Return the best factor for a box of this size; a brain is close enough to one."""
    return 2.0 / (1.0 + math.sin(math.pi / max(8.0, min(max(shape), 2.0 * sweeps))))


def _relax(guess: FloatArray, free: BoolArray, size_mm: tuple[float, float, float], sweeps: int, omega: float) -> None:
    """Over-relax the free voxels in place, one colour of the chessboard after the other; none lies on a face.

    Each colour is kept in an array of its own while this lasts, so that all that a voxel needs lies side by side.
    """
    weights = 1.0 / np.asarray(size_mm, dtype=np.float64) ** 2
    weights = (weights / (2 * weights.sum())).astype(np.float32)
    begin = np.argmax(free, axis=2)
    end = np.where(free.any(axis=2), free.shape[2] - np.argmax(free[..., ::-1], axis=2), begin)
    rows = np.stack([begin // 2, (end + 1) // 2], axis=-1).astype(np.int32)
    nx, ny, nz = guess.shape
    values = np.zeros((2, nx, ny, nz // 2 + 2), np.float32)
    steps = np.zeros_like(values)

    def run(kernel: Callable[..., None], *arguments: object) -> None:
        if guess.size < _WORTH_THREADS:
            kernel(0, nx, *arguments)
        else:
            in_slabs(kernel, nx, *arguments)

    run(_split_colours, guess, free, np.float32(omega), values, steps)
    for _ in range(sweeps):
        for colour in (0, 1):
            run(_relax_colour, values[colour], values[1 - colour], steps[colour], rows, weights, colour)
    run(_join_colours, values, guess)


def coarsening(shape: tuple[int, ...], size_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    """Halve the axes whose voxels are about the finest, so that levels become isotropic."""
    finest = min(size_mm)
    x, y, z = (2 if n >= 2 * _COARSEST and s < 1.5 * finest else 1 for n, s in zip(shape, size_mm, strict=True))
    return (x, y, z)


def interior(mask: BoolArray) -> BoolArray:
    """Return mask voxels whose six neighbours are all in the mask."""
    inside = mask.copy()
    for axis in range(3):
        moved = np.moveaxis(inside, axis, 0)
        source = np.moveaxis(mask, axis, 0)
        moved[1:] &= source[:-1]
        moved[:-1] &= source[1:]
        moved[[0, -1]] = False
    return inside


def _restrict(field_ppm: FloatArray, mask: BoolArray, factors: tuple[int, int, int]) -> tuple[FloatArray, BoolArray]:
    """Average the field over the mask voxels of each block; a block belongs to the mask if any voxel does."""
    blocks = CoarseGrid(fine_shape=field_ppm.shape, block=factors, cell_mm=(1.0, 1.0, 1.0))
    share = block_mean(mask, blocks)
    mean = block_mean(field_ppm, blocks)
    inside = share > 0
    return np.where(inside, mean / np.where(inside, share, np.float32(1)), mean), inside


@compiled
def _prolong(
    start: int,
    stop: int,
    coarse: FloatArray,
    coarse_mask: BoolArray,
    fine: FloatArray,
    free: BoolArray,
    factors: np.ndarray,
) -> None:
    """Interpolate the coarse solution linearly into the free voxels of the fine guess."""
    _, ny, nz = fine.shape
    cx, cy, cz = coarse.shape
    for i in range(start, stop):
        x = (i + 0.5) / factors[0] - 0.5
        i0 = int(np.floor(x))
        for j in range(ny):
            y = (j + 0.5) / factors[1] - 0.5
            j0 = int(np.floor(y))
            for k in range(nz):
                if not free[i, j, k]:
                    continue
                z = (k + 0.5) / factors[2] - 0.5
                k0 = int(np.floor(z))
                total = 0.0
                norm = 0.0
                for di in range(2):
                    a = min(max(i0 + di, 0), cx - 1)
                    wx = 1.0 - abs(x - (i0 + di))
                    for dj in range(2):
                        b = min(max(j0 + dj, 0), cy - 1)
                        wy = wx * (1.0 - abs(y - (j0 + dj)))
                        for dk in range(2):
                            c = min(max(k0 + dk, 0), cz - 1)
                            if coarse_mask[a, b, c]:
                                w = wy * (1.0 - abs(z - (k0 + dk)))
                                total += w * coarse[a, b, c]
                                norm += w
                if norm > 0.0:
                    fine[i, j, k] = total / norm


@compiled
def _split_colours(
    start: int, stop: int, guess: FloatArray, free: BoolArray, omega: np.float32, values: FloatArray, steps: FloatArray
) -> None:
    """Sort voxels by colour, the one at ``2 n + (i + j + colour) % 2`` into place ``n``, and say how far each moves."""
    for i in range(start, stop):
        for j in range(guess.shape[1]):
            for colour in range(2):
                first = (i + j + colour) % 2
                row, step = values[colour, i, j], steps[colour, i, j]
                line, moves = guess[i, j, first:], free[i, j, first:]
                for n in range((line.size + 1) // 2):
                    row[n] = line[2 * n]
                    step[n] = omega if moves[2 * n] else np.float32(0)


@compiled
def _join_colours(start: int, stop: int, values: FloatArray, guess: FloatArray) -> None:
    """Undo :func:`_split_colours`."""
    for i in range(start, stop):
        for j in range(guess.shape[1]):
            for colour in range(2):
                line, row = guess[i, j, (i + j + colour) % 2 :], values[colour, i, j]
                for n in range((line.size + 1) // 2):
                    line[2 * n] = row[n]


@compiled
def _relax_colour(
    start: int,
    stop: int,
    own: FloatArray,
    other: FloatArray,
    steps: FloatArray,
    rows: np.ndarray,
    weights: FloatArray,
    colour: int,
) -> None:
    """Over-relax one colour in place; ``rows`` says between which places free voxels lie along z."""
    nx, ny, _ = own.shape
    wx, wy, wz = weights[0], weights[1], weights[2]
    for i in range(max(start, 1), min(stop, nx - 1)):
        for j in range(1, ny - 1):
            first = (i + j + colour) % 2
            a, b = max(rows[i, j, 0], 1 - first), rows[i, j, 1]
            if b <= a:
                continue
            u, step = own[i, j, a:b], steps[i, j, a:b]
            left, right = other[i - 1, j, a:b], other[i + 1, j, a:b]
            front, back = other[i, j - 1, a:b], other[i, j + 1, a:b]
            below, above = other[i, j, a - 1 + first : b - 1 + first], other[i, j, a + first : b + first]
            for n in range(b - a):
                mean = wx * (left[n] + right[n]) + wy * (front[n] + back[n]) + wz * (below[n] + above[n])
                u[n] += step[n] * (mean - u[n])
