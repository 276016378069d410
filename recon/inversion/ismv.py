"""Background removal by the iterative spherical mean value method.

``b ← mean of b over a small sphere`` deep in the mask, ``b = f`` in the shell where the sphere reaches out of it, until
nothing changes; the local field is ``f - b`` (Wen 2014, doi:10.1002/mrm.24998). The fixed point has the mean value
property inside and the total field's values on the shell, wherever the iteration starts; it starts from the harmonic
extension of the mask's surface values, which saves hundreds of iterations.
"""

from __future__ import annotations

import math

import torch

from recon.operators.dipole import convolve, good_fft_shape
from recon.operators.lbv import harmonic_background
from recon.operators.vsharp import sphere_spectrum
from recon.types import Grid

_TOLERANCE = 1e-4
"""Relative change of the background at which to stop."""
_MOST_ITERATIONS = 50


def ismv(field_ppm: torch.Tensor, mask: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return the local field, by spheres whose radius is the longest voxel edge.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field.
    mask
        ``(x, y, z)`` bool.
    grid
        Geometry.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, zero outside the mask and on the shell.
    """
    radius_mm = max(grid.voxel_size_mm)
    x, y, z = (n + math.ceil(radius_mm / s) + 1 for n, s in zip(grid.shape, grid.voxel_size_mm, strict=True))
    padded = good_fft_shape((x, y, z))
    sphere = sphere_spectrum(radius_mm, padded, grid, field_ppm.device)
    deep = mask & (convolve(mask.float(), sphere, padded) > 0.999)
    field = torch.where(mask, field_ppm, torch.zeros_like(field_ppm))
    start = harmonic_background(field.cpu().numpy(), mask.cpu().numpy(), grid)
    background = torch.where(deep, torch.from_numpy(start).to(field.device), field)
    for _ in range(_MOST_ITERATIONS):
        mean = convolve(background, sphere, padded)
        change = torch.where(deep, mean - background, torch.zeros_like(mean))
        background += change
        if change.norm() <= _TOLERANCE * background.norm():
            break
    return (field - background) * deep
