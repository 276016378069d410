"""Background removal by the spherical mean value property (V-SHARP).

A harmonic field equals its mean over any sphere, so ``f - mean_sphere(f)`` loses the background and keeps a
filtered local field, which a truncated deconvolution restores (Schweser 2011, doi:10.1016/j.neuroimage.2010.10.070;
Li 2011, doi:10.1016/j.neuroimage.2010.11.088). Large spheres are used deep in the mask, small ones at its edge.
"""

from __future__ import annotations

import math

import torch

from recon.operators.dipole import good_fft_shape
from recon.types import Grid

RADII_MM = (12.0, 8.0, 5.0, 3.0, 2.0, 1.0)
"""Sphere radii, largest first."""
_TRUNCATION = 0.05
"""Spatial frequencies that the largest sphere passes below this are not restored."""


def sphere_spectrum(radius_mm: float, shape: tuple[int, int, int], grid: Grid, device: torch.device) -> torch.Tensor:
    """Return the half spectrum of the normalised ball, centred at the origin.

    The ball is sampled on the grid, so that it is exact for any voxel size; it is at least one voxel plus its six
    neighbours, weighted down where these lie beyond the radius. It is symmetric and small, so that three short
    cosine sums give its transform.
    """
    reach: list[torch.Tensor] = []
    cosines: list[torch.Tensor] = []
    for n, s in zip(shape, grid.voxel_size_mm, strict=True):
        index = torch.arange(min(math.ceil(radius_mm / s) + 2, n // 2 + 1), device=device)
        reach.append(index * s)
        cosines.append(_cosines(index, n, half=len(cosines) == 2))
    squared = reach[0][:, None, None] ** 2 + reach[1][None, :, None] ** 2 + reach[2][None, None, :] ** 2
    edge = sum(grid.voxel_size_mm) / 3
    octant = torch.clamp((radius_mm - squared.sqrt()) / edge + 0.5, 0.0, 1.0)
    spectrum = torch.einsum("abc,ax,by,cz->xyz", octant, *cosines)
    return spectrum / spectrum[0, 0, 0].clone()


def _cosines(index: torch.Tensor, size: int, *, half: bool) -> torch.Tensor:
    """Return the transform ``(index, frequency)`` of what is symmetric about the origin along an axis.

    Parameters
    ----------
    index
        Positions on one side of the origin, zero first.
    size
        Length of the axis.
    half
        Whether only frequencies from zero to the highest are wanted.
    """
    frequency = torch.arange(size // 2 + 1 if half else size, device=index.device)
    turn = (index[:, None] * frequency[None, :]) % size
    both_sides = torch.where((index == 0) | (2 * index == size), 1.0, 2.0)
    return both_sides[:, None] * torch.cos(2.0 * math.pi / size * turn)


def vsharp(field_ppm: torch.Tensor, mask: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return the local field.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field, zero outside the mask.
    mask
        ``(x, y, z)`` bool.
    grid
        Geometry.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 local field in ppm, zero outside the mask.
    """
    reach = [math.ceil(RADII_MM[0] / s) + 1 for s in grid.voxel_size_mm]
    padded = good_fft_shape(tuple(n + r for n, r in zip(grid.shape, reach, strict=True)))  # type: ignore[arg-type]
    x, y, z = grid.shape
    field_k = torch.fft.rfftn(field_ppm * mask, s=padded)
    mask_k = torch.fft.rfftn(mask.float(), s=padded)
    filtered = torch.zeros_like(field_ppm)
    open_voxels = mask.clone()
    first = torch.zeros(0)
    for radius in RADII_MM:
        spectrum = sphere_spectrum(radius, padded, grid, field_ppm.device)
        if first.numel() == 0:
            first = spectrum
        share = torch.fft.irfftn(mask_k * spectrum, s=padded)[:x, :y, :z]
        mean = torch.fft.irfftn(field_k * spectrum, s=padded)[:x, :y, :z]
        whole = open_voxels & (share > 0.999)
        filtered = torch.where(whole, field_ppm - mean, filtered)
        open_voxels &= ~whole
    inverse = 1.0 - first
    inverse = torch.where(inverse.abs() > _TRUNCATION, 1.0 / inverse, torch.zeros_like(inverse))
    inverse[0, 0, 0] = 0.0
    local: torch.Tensor = torch.fft.irfftn(torch.fft.rfftn(filtered, s=padded) * inverse, s=padded)
    return local[:x, :y, :z].mul(mask)
