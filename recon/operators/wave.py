"""The dipole's wave operator as a stencil of 27 points: what relates the Laplacian of a field to susceptibility.

``Δf = □χ`` with ``□ = ⅓ Δ - (b·∇)²``, central differences.
"""

from __future__ import annotations

import itertools
import math

import torch

from recon.types import Grid

_CENTRAL = ((0.0, 1.0, 0.0), (-0.5, 0.0, 0.5), (1.0, -2.0, 1.0))
"""Weights of the central difference of order 0, 1 and 2 along a line of three voxels."""


def laplacian_stencil(grid: Grid) -> torch.Tensor:
    """Return the weights ``(3, 3, 3)`` of the Laplacian, per mm²."""
    return _derivative(0, 0, grid) + _derivative(1, 1, grid) + _derivative(2, 2, grid)


def wave_stencil(grid: Grid) -> torch.Tensor:
    """Return the weights ``(3, 3, 3)`` of the wave operator, per mm²."""
    b = grid.b0_direction
    stencil = laplacian_stencil(grid) / 3.0
    for axis in range(3):
        stencil -= b[axis] ** 2 * _derivative(axis, axis, grid)
    for first, second in itertools.combinations(range(3), 2):
        stencil -= 2.0 * b[first] * b[second] * _derivative(first, second, grid)
    return stencil


def _derivative(first: int, second: int, grid: Grid) -> torch.Tensor:
    """Return the derivative along one axis and then another, or twice along one."""
    x, y, z = (torch.tensor(_CENTRAL[(first, second).count(axis)]) for axis in range(3))
    scale = 1.0 / math.prod(grid.voxel_size_mm[axis] for axis in (first, second))
    return x[:, None, None] * y[:, None] * z * scale


def apply_stencil(volume: torch.Tensor, stencil: torch.Tensor) -> torch.Tensor:
    """Correlate a volume ``(x, y, z)`` with a stencil; zero around it."""
    padded = torch.nn.functional.pad(volume, (1,) * 6)
    result = torch.zeros_like(volume)
    for index in stencil.nonzero().tolist():
        window = tuple(slice(i, i + n) for i, n in zip(index, volume.shape, strict=True))
        result.add_(padded[window], alpha=float(stencil[tuple(index)]))
    return result
