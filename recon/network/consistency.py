"""Hold a map to the measured field: one closed-form step with the true kernel and a free background.

``χ + D r / (D² + λ)`` with ``r`` the field that neither the map nor any harmonic background explains. Frequencies that
the field fixes well are set by the field, those near the magic angle stay with the map: the classical answer to the
amplitude that a network loses (data-consistent steps inside a learned inversion: Cognolato 2023,
doi:10.1016/j.media.2022.102700; harmonic background by its boundary values: Zhou 2014, doi:10.1002/nbm.3064).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch

from recon.dipole import convolve, dipole_kernel
from recon.harmonic import SWEEPS
from recon.harmonic_gpu import local_field
from recon.inversion.tikhonov import padded_shape
from recon.types import Grid

CONSISTENCY: Final = 0.1
"""Regularisation λ of the step between two passes."""


@dataclass(frozen=True, kw_only=True)
class FieldData:
    """What a map is held to.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field.
    mask
        ``(x, y, z)`` bool.
    trusted
        ``(x, y, z)`` bool: elsewhere the field says nothing.
    grid
        Geometry.
    sweeps
        Relaxation sweeps for the harmonic background: the smaller it is, the fewer do.
    kernel
        Dipole kernel on the half spectrum of :func:`recon.inversion.tikhonov.padded_shape`.
    """

    field_ppm: torch.Tensor
    mask: torch.Tensor
    trusted: torch.Tensor
    grid: Grid
    sweeps: int
    kernel: torch.Tensor


def field_data(
    field_ppm: torch.Tensor,
    mask: torch.Tensor,
    grid: Grid,
    *,
    trusted: torch.Tensor | None = None,
    sweeps: int = SWEEPS,
) -> FieldData:
    """Return the field with its kernel; the whole mask is trusted unless said otherwise."""
    trusted = mask if trusted is None else trusted & mask
    kernel = dipole_kernel(padded_shape(grid), grid.voxel_size_mm, grid.b0_direction, field_ppm.device)
    return FieldData(field_ppm=field_ppm, mask=mask, trusted=trusted, grid=grid, sweeps=sweeps, kernel=kernel)


def unexplained_field(chi_ppm: torch.Tensor, data: FieldData) -> torch.Tensor:
    """Return what the field has left after the map's field and any harmonic background are taken off.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32, zero outside the mask.
    data
        The measured field.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, zero outside the mask, on its outermost voxels and where the field says nothing.
    """
    left = data.field_ppm - convolve(chi_ppm, data.kernel, padded_shape(data.grid))
    left = torch.where(data.mask, left, torch.zeros_like(left))
    return local_field(left, data.mask, data.grid, data.sweeps) * data.trusted


def consistent_step(chi_ppm: torch.Tensor, data: FieldData, regularisation: float = CONSISTENCY) -> torch.Tensor:
    """Return the map after one step towards the field, relative to its mean over the mask.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32, zero outside the mask.
    data
        The measured field.
    regularisation
        λ; large leaves the map as it is.
    """
    spectrum = data.kernel / (data.kernel**2 + regularisation)
    step = convolve(unexplained_field(chi_ppm, data), spectrum, padded_shape(data.grid))
    return centred(chi_ppm + step, data.mask)


def centred(volume: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Subtract the mean over the mask and zero the rest: a constant carries no information."""
    inside = volume[mask]
    mean = inside.mean() if inside.numel() else torch.zeros((), device=volume.device)
    return torch.where(mask, volume - mean, torch.zeros_like(volume))
