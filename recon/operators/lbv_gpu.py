"""The harmonic background as in :mod:`recon.operators.lbv`, of torch tensors; on a GPU by whole-volume operations.

Same levels, same colours, same factors: the results differ by rounding only.
"""

from __future__ import annotations

import torch

from recon.operators.lbv import SWEEPS, coarsening, harmonic_background, harmonic_local_field, over_relaxation
from recon.types import Grid

Vector = tuple[float, float, float]


def without_harmonic(field_ppm: torch.Tensor, mask: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return the total field less the harmonic extension of its values on the mask's surface, computed on the CPU."""
    background = harmonic_background(field_ppm.cpu().numpy(), mask.cpu().numpy(), grid)
    return (field_ppm - torch.from_numpy(background).to(field_ppm.device)) * mask


def local_field(field_ppm: torch.Tensor, mask: torch.Tensor, grid: Grid, sweeps: int = SWEEPS) -> torch.Tensor:
    """Return the total field without its harmonic part, computed where the field is.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field.
    mask
        ``(x, y, z)`` bool, on the same device.
    grid
        Geometry.
    sweeps
        Relaxation sweeps on every level.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, zero on the mask's outermost voxels and outside.
    """
    if field_ppm.device.type == "cpu":
        return torch.from_numpy(harmonic_local_field(field_ppm.numpy(), mask.numpy(), grid, sweeps))
    return relaxed_local_field(field_ppm, mask, grid, sweeps)


def relaxed_local_field(field_ppm: torch.Tensor, mask: torch.Tensor, grid: Grid, sweeps: int = SWEEPS) -> torch.Tensor:
    """Return the same on any device by whole-volume operations; shapes as in :func:`local_field`."""
    peeled = _interior(mask)
    background = _solve(field_ppm * peeled, peeled, grid.voxel_size_mm, sweeps)
    return (field_ppm - background) * peeled


def _interior(mask: torch.Tensor) -> torch.Tensor:
    """Return mask voxels whose six neighbours are all in the mask."""
    padded = torch.nn.functional.pad(mask, (1, 1, 1, 1, 1, 1))
    inside = mask.clone()
    for axis, length in enumerate(mask.shape):
        for start in (0, 2):
            moved = padded.narrow(axis, start, length)
            for other in range(3):
                if other != axis:
                    moved = moved.narrow(other, 1, mask.shape[other])
            inside &= moved
    return inside


def _solve(field_ppm: torch.Tensor, mask: torch.Tensor, size_mm: Vector, sweeps: int) -> torch.Tensor:
    """Solve on this level, starting from the solution of the next coarser one."""
    free = _interior(mask)
    factors = coarsening(tuple(mask.shape), size_mm)
    guess = field_ppm.clone()
    if factors != (1, 1, 1) and bool(free.any()):
        coarse_field, coarse_mask = _restrict(field_ppm, mask, factors)
        coarse_size = (size_mm[0] * factors[0], size_mm[1] * factors[1], size_mm[2] * factors[2])
        coarse = _solve(coarse_field, coarse_mask, coarse_size, sweeps)
        finer, known = _prolong(coarse, coarse_mask, factors, mask.shape)
        guess = torch.where(free & known, finer, guess)
    _relax(guess, free, size_mm, sweeps, over_relaxation(tuple(mask.shape), sweeps))
    return guess


def _restrict(
    field_ppm: torch.Tensor, mask: torch.Tensor, factors: tuple[int, int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average the field over the mask voxels of each block; a block belongs to the mask if any voxel does."""
    padding = [n for length, f in zip(reversed(mask.shape), reversed(factors), strict=True) for n in (0, -length % f)]
    inside = torch.nn.functional.pad(mask, padding)
    field = torch.nn.functional.pad(field_ppm, padding)
    blocks = [d for n, f in zip(inside.shape, factors, strict=True) for d in (n // f, f)]
    count = inside.reshape(blocks).sum(dim=(1, 3, 5))
    total = field.reshape(blocks).sum(dim=(1, 3, 5))
    return total / count.clamp(min=1), count > 0


def _prolong(
    coarse: torch.Tensor, coarse_mask: torch.Tensor, factors: tuple[int, int, int], shape: torch.Size
) -> tuple[torch.Tensor, torch.Tensor]:
    """Interpolate a coarse solution linearly among voxels of its mask; also say where there was any."""
    weights = coarse_mask.to(coarse.dtype)
    size = [n * f for n, f in zip(coarse.shape, factors, strict=True)]
    both = torch.stack([coarse * weights, weights])[None]
    total, norm = torch.nn.functional.interpolate(both, size=size, mode="trilinear", align_corners=False)[0]
    x, y, z = shape
    total, norm = total[:x, :y, :z], norm[:x, :y, :z]
    return total / norm.clamp(min=1e-6), norm > 1e-6


def _relax(guess: torch.Tensor, free: torch.Tensor, size_mm: Vector, sweeps: int, omega: float) -> None:
    """Over-relax the free voxels in place, one colour of the chessboard after the other."""
    inverse = [1.0 / s**2 for s in size_mm]
    wx, wy, wz = (w / (2 * sum(inverse)) for w in inverse)
    x, y, z = (torch.arange(n, device=guess.device) for n in guess.shape)
    parity = (x[:, None, None] + y[None, :, None] + z) % 2
    inner = (slice(1, -1),) * 3
    shares = [((parity == colour) & free)[inner].to(guess.dtype) * omega for colour in (0, 1)]
    centre = guess[inner]
    for _ in range(sweeps):
        for share in shares:
            mean = (guess[:-2, 1:-1, 1:-1] + guess[2:, 1:-1, 1:-1]).mul_(wx)
            mean.add_(guess[1:-1, :-2, 1:-1], alpha=wy).add_(guess[1:-1, 2:, 1:-1], alpha=wy)
            mean.add_(guess[1:-1, 1:-1, :-2], alpha=wz).add_(guess[1:-1, 1:-1, 2:], alpha=wz)
            centre.addcmul_(share, mean.sub_(centre))
