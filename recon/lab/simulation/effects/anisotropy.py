"""Anisotropic susceptibility of white matter: the field of a traceless tensor along the fibres.

Susceptibility tensor imaging (Liu 2010, doi:10.1002/mrm.22482) has ``field = b·m/3 - F⁻¹ (k·b)(k·F m)/k²`` with
``m = χ b``. In vivo the difference between along and across fibres is about 0.02 ppm (Li et al. 2012,
doi:10.1016/j.neuroimage.2011.10.038).
"""

from __future__ import annotations

import torch

from recon.lab.simulation.draw.effect_plans import AnisotropyPlan
from recon.operators.dipole import good_fft_shape, k_axes
from recon.types import Grid


def anisotropic_field_ppm(plan: AnisotropyPlan, fibres: torch.Tensor, white: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return the field ``(x, y, z)`` that anisotropy adds to that of the mean susceptibility.

    Parameters
    ----------
    plan
        Difference of susceptibility.
    fibres
        ``(3, x, y, z)`` unit vectors in image axes.
    white
        ``(x, y, z)`` share of white matter.
    grid
        Geometry.
    """
    b0 = torch.tensor(grid.b0_direction, dtype=torch.float32, device=fibres.device)
    along = torch.einsum("ixyz,i->xyz", fibres, b0)
    strength = plan.difference_ppm * white
    return tensor_field_ppm(strength * (fibres * along - b0[:, None, None, None] / 3.0), grid)


def tensor_field_ppm(magnetisation_ppm: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return the field ``(x, y, z)`` of a magnetisation ``χ b``, ``(3, x, y, z)``, in free space."""
    x, y, z = grid.shape
    padded = good_fft_shape((2 * x, 2 * y, 2 * z))
    device = magnetisation_ppm.device
    axes = k_axes(padded, grid.voxel_size_mm, device)
    k_squared = sum((k**2 for k in axes), torch.zeros((), device=device))
    k_squared[0, 0, 0] = 1.0
    along_b0 = sum((k * b for k, b in zip(axes, grid.b0_direction, strict=True)), torch.zeros((), device=device))
    divergence = torch.zeros((), device=device)
    for k, component in zip(axes, magnetisation_ppm, strict=True):
        divergence = divergence + k * torch.fft.rfftn(component, s=padded)
    second: torch.Tensor = torch.fft.irfftn(divergence * along_b0 / k_squared, s=padded)
    b0 = torch.tensor(grid.b0_direction, dtype=torch.float32, device=device)
    return torch.einsum("ixyz,i->xyz", magnetisation_ppm, b0) / 3.0 - second[:x, :y, :z]
