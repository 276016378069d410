"""A sphere in a box-shaped brain's field, on a non-cubic, anisotropic, oblique grid."""

from dataclasses import dataclass

import numpy as np
import torch

from recon.operators.dipole import dipole_field
from recon.types import Grid

OBLIQUE = tuple(float(c) for c in np.array((0.2, 0.4, 0.9)) / np.linalg.norm((0.2, 0.4, 0.9)))
GRID = Grid(shape=(44, 40, 30), voxel_size_mm=(1.0, 1.2, 1.6), b0_direction=OBLIQUE)


@dataclass(frozen=True, kw_only=True)
class SphereField:
    """Truth and fields of a sphere inside an ellipsoidal mask, torch float32 ``(x, y, z)``."""

    chi_ppm: torch.Tensor
    local_ppm: torch.Tensor
    background_ppm: torch.Tensor
    mask: torch.Tensor
    sphere: torch.Tensor
    grid: Grid


def axes_mm(grid=GRID):
    return np.meshgrid(
        *((np.arange(n) - n / 2) * s for n, s in zip(grid.shape, grid.voxel_size_mm, strict=True)), indexing="ij"
    )


def sphere_field(chi_ppm=0.2, radius_mm=5.0, grid=GRID):
    """Return a sphere off the centre of an ellipsoid, its field, and the field of a strong source outside."""
    x, y, z = axes_mm(grid)
    mask = torch.from_numpy((x / 17) ** 2 + (y / 18) ** 2 + (z / 18) ** 2 < 1)
    distance = np.sqrt((x + 3) ** 2 + (y - 2) ** 2 + (z - 1) ** 2)
    edge = np.clip((radius_mm - distance) / 1.2 + 0.5, 0, 1).astype(np.float32)
    outside = 60.0 * np.exp(-((x - 20) ** 2 + (y - 12) ** 2 + (z + 16) ** 2) / (2 * 2.5**2)).astype(np.float32)
    chi = torch.from_numpy(chi_ppm * edge)
    return SphereField(
        chi_ppm=chi,
        local_ppm=dipole_field(chi, grid) * mask,
        background_ppm=dipole_field(torch.from_numpy(outside), grid) * mask,
        mask=mask,
        sphere=torch.from_numpy(distance < radius_mm - 1.5),
        grid=grid,
    )
