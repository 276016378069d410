"""Differences and their adjoints: on a periodic volume, and between voxels of a mask."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from recon.operators.dipole import Vector


def gradient(volume: torch.Tensor, voxel_size_mm: Vector) -> torch.Tensor:
    """Return forward differences per mm along x, y, z, ``(3, x, y, z)``; a volume's far faces join its near ones."""
    return torch.stack([(torch.roll(volume, -1, a) - volume) / s for a, s in enumerate(voxel_size_mm)])


def gradient_adjoint(slopes: torch.Tensor, voxel_size_mm: Vector) -> torch.Tensor:
    """Return the adjoint of :func:`gradient`, ``(x, y, z)``: minus the divergence by backward differences."""
    result = torch.zeros_like(slopes[0])
    for axis, size in enumerate(voxel_size_mm):
        result += (torch.roll(slopes[axis], 1, axis) - slopes[axis]) / size
    return result


def gradient_energy(
    shape: tuple[int, int, int], voxel_size_mm: Vector, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Return the half spectrum of ``gradient_adjoint(gradient(·))``: the sum of ``(2 - 2 cos 2πn/N) / s²``."""
    result = torch.zeros(shape[0], shape[1], shape[2] // 2 + 1, device=device)
    for axis, (n, size) in enumerate(zip(shape, voxel_size_mm, strict=True)):
        count = result.shape[axis]
        angle = 2 * torch.pi * torch.arange(count, device=device) / n
        term = (2 - 2 * torch.cos(angle)) / size**2
        result += term.reshape([-1 if a == axis else 1 for a in range(3)])
    return result


@dataclass(frozen=True, kw_only=True)
class InnerDifferences:
    """Differences per mm between neighbours that are both in a mask; zero elsewhere.

    Parameters
    ----------
    forward, backward
        ``(3, x, y, z)``: 1 / voxel size where a voxel and its next (previous) one along each axis are in the mask.
    """

    forward: torch.Tensor
    backward: torch.Tensor

    @classmethod
    def of(cls, mask: torch.Tensor, voxel_size_mm: Vector) -> InnerDifferences:
        """Return the differences inside ``(x, y, z)`` bool."""
        forward, backward = (torch.zeros(3, *mask.shape, device=mask.device) for _ in range(2))
        for axis, size in enumerate(voxel_size_mm):
            low, high = _neighbours(mask, axis)
            both = (low & high) / size
            _neighbours(forward[axis], axis)[0].copy_(both)
            _neighbours(backward[axis], axis)[1].copy_(both)
        return cls(forward=forward, backward=backward)

    def ahead(self, volume: torch.Tensor, axis: int) -> torch.Tensor:
        """Return the difference from each voxel to the next."""
        low, high = _neighbours(volume, axis)
        result = torch.zeros_like(volume)
        torch.sub(high, low, out=_neighbours(result, axis)[0])
        return result.mul_(self.forward[axis])

    def ahead_adjoint(self, slopes: torch.Tensor, axis: int) -> torch.Tensor:
        """Return the adjoint of :meth:`ahead`."""
        weighted = slopes * self.forward[axis]
        result = -weighted
        _neighbours(result, axis)[1].add_(_neighbours(weighted, axis)[0])
        return result

    def behind(self, volume: torch.Tensor, axis: int) -> torch.Tensor:
        """Return the difference to each voxel from the previous one."""
        low, high = _neighbours(volume, axis)
        result = torch.zeros_like(volume)
        torch.sub(high, low, out=_neighbours(result, axis)[1])
        return result.mul_(self.backward[axis])

    def behind_adjoint(self, slopes: torch.Tensor, axis: int) -> torch.Tensor:
        """Return the adjoint of :meth:`behind`."""
        weighted = slopes * self.backward[axis]
        result = weighted.clone()
        _neighbours(result, axis)[0].sub_(_neighbours(weighted, axis)[1])
        return result


def _neighbours(volume: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return views of all voxels that have a next one, and of these next ones."""
    count = volume.shape[axis] - 1
    return volume.narrow(axis, 0, count), volume.narrow(axis, 1, count)
