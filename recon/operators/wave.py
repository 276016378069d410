"""The dipole's wave operator as a stencil of 27 points: what relates the Laplacian of a field to susceptibility.

``Δf = □χ`` with ``□ = ⅓ Δ - (b·∇)²``, central differences.
"""

from __future__ import annotations

import itertools

import torch

from recon.types import Grid


def laplacian_stencil(grid: Grid) -> torch.Tensor:
    """Return the weights ``(3, 3, 3)`` of the Laplacian, per mm²."""
    stencil = torch.zeros(3, 3, 3)
    for axis in range(3):
        stencil += _second(axis, grid)
    return stencil


def wave_stencil(grid: Grid) -> torch.Tensor:
    """Return the weights ``(3, 3, 3)`` of the wave operator, per mm²."""
    b = grid.b0_direction
    stencil = laplacian_stencil(grid) / 3.0
    for axis in range(3):
        stencil -= b[axis] ** 2 * _second(axis, grid)
    for first, second in itertools.combinations(range(3), 2):
        stencil -= 2.0 * b[first] * b[second] * _mixed(first, second, grid)
    return stencil


def _second(axis: int, grid: Grid) -> torch.Tensor:
    """Return the second derivative along an axis."""
    stencil = torch.zeros(3, 3, 3)
    weight = 1.0 / grid.voxel_size_mm[axis] ** 2
    for offset, share in ((-1, 1.0), (0, -2.0), (1, 1.0)):
        stencil[_at({axis: offset})] = share * weight
    return stencil


def _mixed(first: int, second: int, grid: Grid) -> torch.Tensor:
    """Return the mixed derivative along two axes."""
    stencil = torch.zeros(3, 3, 3)
    weight = 0.25 / (grid.voxel_size_mm[first] * grid.voxel_size_mm[second])
    for one, other in itertools.product((-1, 1), repeat=2):
        stencil[_at({first: one, second: other})] = one * other * weight
    return stencil


def _at(offsets: dict[int, int]) -> tuple[int, int, int]:
    """Return the index of a neighbour in a stencil."""
    return (1 + offsets.get(0, 0), 1 + offsets.get(1, 0), 1 + offsets.get(2, 0))


def apply_stencil(volume: torch.Tensor, stencil: torch.Tensor) -> torch.Tensor:
    """Correlate a volume ``(x, y, z)`` with a stencil; zero around it."""
    padded = torch.nn.functional.pad(volume, (1,) * 6)
    result = torch.zeros_like(volume)
    for index in stencil.nonzero().tolist():
        window = tuple(slice(i, i + n) for i, n in zip(index, volume.shape, strict=True))
        result.add_(padded[window], alpha=float(stencil[tuple(index)]))
    return result
