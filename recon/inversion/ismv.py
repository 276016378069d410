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


def ismv(
    field_ppm: torch.Tensor,
    mask: torch.Tensor,
    grid: Grid,
    *,
    radius_voxels: float = 1.0,
    tolerance: float = 1e-4,
    most_iterations: int = 50,
) -> torch.Tensor:
    """Return the local field; linear in the field for a given number of iterations.

    Stops when an iteration changes the background by less than ``tolerance`` of its norm.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field.
    mask
        ``(x, y, z)`` bool.
    grid
        Geometry.
    radius_voxels
        Radius of the sphere in units of the longest voxel edge.
    tolerance
        Relative change at which to stop.
    most_iterations
        Most iterations.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, zero outside the mask and on the shell.
    """
    radius_mm = radius_voxels * max(grid.voxel_size_mm)
    x, y, z = (n + math.ceil(radius_mm / s) + 1 for n, s in zip(grid.shape, grid.voxel_size_mm, strict=True))
    padded = good_fft_shape((x, y, z))
    sphere = sphere_spectrum(radius_mm, padded, grid, field_ppm.device)
    deep = mask & (convolve(mask.float(), sphere, padded) > 0.999)
    field = torch.where(mask, field_ppm, torch.zeros_like(field_ppm))
    start = harmonic_background(field.cpu().numpy(), mask.cpu().numpy(), grid)
    background = torch.where(deep, torch.from_numpy(start).to(field.device), field)
    for _ in range(most_iterations):
        mean = convolve(background, sphere, padded)
        change = torch.where(deep, mean - background, torch.zeros_like(mean))
        background += change
        if change.norm() <= tolerance * background.norm():
            break
    return (field - background) * deep
