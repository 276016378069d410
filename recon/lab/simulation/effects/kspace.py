"""Finite sampling: truncation from a finer lattice, zero filling, partial Fourier, and filters.

Spectra are those of ``torch.fft`` with ``norm="forward"``, so that the mean of an image stays when its matrix changes.
The field of view stays as well: a smaller acquired matrix is the middle of the same k-space lattice.
"""

from __future__ import annotations

import math

import torch

from recon.lab.simulation.draw.effect_plans import KSpacePlan

_AXES = (-3, -2, -1)


def truncated(fine: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """Return the image ``(..., *shape)`` whose k-space is the middle of that of ``fine``, Gibbs ringing included.

    Parameters
    ----------
    fine
        ``(..., x, y, z)`` complex, a whole number of subvoxels per voxel, both lattices with the same middle.
    shape
        Image matrix.
    """
    spectrum = torch.fft.fftn(fine, dim=_AXES, norm="forward")
    for axis, count in zip(_AXES, shape, strict=True):
        size = fine.shape[axis]
        cycles = torch.fft.ifftshift(torch.arange(count, device=fine.device) - count // 2)
        spectrum = spectrum.index_select(axis, cycles % size)
        # The first voxel's middle lies behind the first subvoxel's middle.
        late = (size / count - 1.0) / 2.0 / size
        phase = 2 * math.pi * late * cycles.float()
        spectrum = spectrum * _along(torch.polar(torch.ones_like(phase), phase), axis)
    image: torch.Tensor = torch.fft.ifftn(spectrum, dim=_AXES, norm="forward")
    return image


def line_weights(count: int, acquired: float, partial: float, plan: KSpacePlan) -> torch.Tensor:
    """Return the weight of each of ``count`` k-space lines, most negative frequency first."""
    lines = max(2, round(count * acquired / 2) * 2) if acquired < 1.0 else count
    index = torch.arange(count, dtype=torch.float32) - count // 2
    relative = index / (lines / 2)
    kept = (index >= -(lines // 2)) & (index < lines - lines // 2)
    kept &= index >= -(lines // 2) + round(lines * (1.0 - partial))
    if plan.window == "hamming":
        return kept * (0.54 + 0.46 * torch.cos(math.pi * relative))
    if plan.window == "tukey" and plan.taper > 0:
        fall = ((relative.abs() - (1.0 - plan.taper)) / plan.taper).clamp(0.0, 1.0)
        return kept * (0.5 + 0.5 * torch.cos(math.pi * fall))
    return kept.float()


def acquired(echoes: torch.Tensor, plan: KSpacePlan) -> torch.Tensor:
    """Weight the k-space of complex echoes ``(..., x, y, z)`` by what was acquired of it."""
    spectrum = torch.fft.fftn(echoes, dim=_AXES)
    for axis, weights in zip(_AXES, _weights(echoes, plan), strict=True):
        spectrum = spectrum * _along(weights, axis)
    image: torch.Tensor = torch.fft.ifftn(spectrum, dim=_AXES)
    return image


def acquired_noise(noise: torch.Tensor, plan: KSpacePlan) -> torch.Tensor:
    """Correlate white noise ``(..., x, y, z)`` as the acquired k-space does, and keep its variance."""
    kept = math.prod(float((weights**2).mean()) for weights in _weights(noise, plan))
    return acquired(noise, plan) / math.sqrt(kept)


def _weights(volume: torch.Tensor, plan: KSpacePlan) -> list[torch.Tensor]:
    """Return the weights of the three axes in the order of ``torch.fft``."""
    shape = volume.shape[-3:]
    rows = zip(shape, plan.acquired, plan.partial, strict=True)
    return [torch.fft.ifftshift(line_weights(n, a, p, plan)).to(volume.device) for n, a, p in rows]


def _along(values: torch.Tensor, axis: int) -> torch.Tensor:
    """Shape values along one of the last three axes."""
    return values.reshape([-1 if axis == other else 1 for other in _AXES])
