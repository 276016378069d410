"""Forward differences on a periodic volume, and their adjoint."""

from __future__ import annotations

import torch

from recon.dipole import Vector


def gradient(volume: torch.Tensor, voxel_size_mm: Vector) -> torch.Tensor:
    """Return forward differences per mm.

    Parameters
    ----------
    volume
        ``(x, y, z)``; its far faces join its near ones.
    voxel_size_mm
        Voxel size along x, y, z.

    Returns
    -------
    torch.Tensor
        ``(3, x, y, z)``, derivatives along x, y, z.
    """
    return torch.stack([(torch.roll(volume, -1, a) - volume) / s for a, s in enumerate(voxel_size_mm)])


def gradient_adjoint(slopes: torch.Tensor, voxel_size_mm: Vector) -> torch.Tensor:
    """Return the adjoint of :func:`gradient`: minus the divergence by backward differences.

    Parameters
    ----------
    slopes
        ``(3, x, y, z)``.
    voxel_size_mm
        Voxel size along x, y, z.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)``.
    """
    result = torch.zeros_like(slopes[0])
    for axis, size in enumerate(voxel_size_mm):
        result += (torch.roll(slopes[axis], 1, axis) - slopes[axis]) / size
    return result


def gradient_energy(
    shape: tuple[int, int, int], voxel_size_mm: Vector, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Return the half spectrum of ``gradient_adjoint(gradient(·))``: the sum of ``(2 - 2 cos 2πn/N) / s²``.

    Parameters
    ----------
    shape
        Sizes of the real-space volume.
    voxel_size_mm
        Voxel size along x, y, z.
    device
        Where to make it.
    """
    result = torch.zeros(shape[0], shape[1], shape[2] // 2 + 1, device=device)
    for axis, (n, size) in enumerate(zip(shape, voxel_size_mm, strict=True)):
        count = result.shape[axis]
        angle = 2 * torch.pi * torch.arange(count, device=device) / n
        term = (2 - 2 * torch.cos(angle)) / size**2
        result += term.reshape([-1 if a == axis else 1 for a in range(3)])
    return result
