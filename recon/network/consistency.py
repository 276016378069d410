"""Hold a map to the measured field: closed-form steps with the true kernel and a free background.

``χ + D r / (D² + λ(k))`` with ``r`` the field that neither the map nor any harmonic background explains. As in Wiener's
filter, λ is the power of the field's noise over the power of the map's error. That error falls steeply with spatial
frequency while the noise does not: coarse structure, and with it the mean of a region, is set by the field; fine
structure and what lies near the magic angle stay with the map. The noise is what the residual itself shows, so that a
field that is better or worse than stated is used accordingly; what no map near this one explains, such as phase a turn
off, is doubted, and the rim of the mask counts as an outside source (data-consistent steps inside a learned inversion:
Cognolato 2023, doi:10.1016/j.media.2022.102700; harmonic background by its boundary values: Zhou 2014,
doi:10.1002/nbm.3064).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch

from recon.inversion.tikhonov import padded_shape
from recon.network.constants import NETWORK
from recon.operators.dipole import convolve, dipole_kernel
from recon.operators.lbv import SWEEPS
from recon.operators.lbv_gpu import local_field
from recon.types import Grid

REGULARISATION: Final = (
    f"{NETWORK.least_regularisation} + (noise / {NETWORK.map_error_ppm_mm15} ppm)^2 (voxel / mm^3) "
    f"(1 + ({NETWORK.map_error_corner_mm:g} mm k)^2)^{NETWORK.map_error_fall}"
)
"""λ, for provenance."""
_MAD_TO_SD: Final = 1.4826


@dataclass(frozen=True, kw_only=True)
class FieldData:
    """What a map is held to.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field.
    mask
        ``(x, y, z)`` bool.
    reliable
        ``(x, y, z)`` bool: elsewhere the field says nothing.
    region
        ``(x, y, z)`` bool: where the field is split into that of the map and a harmonic background; the mask without
        its rim and without voids that are open to the outside.
    grid
        Geometry.
    sweeps
        Relaxation sweeps for the harmonic background: the smaller it is, the fewer do.
    kernel
        Dipole kernel on the half spectrum of :func:`recon.inversion.tikhonov.padded_shape`.
    noise_weight
        What the variance of the noise (ppm²) adds to λ, on the same half spectrum.
    """

    field_ppm: torch.Tensor
    mask: torch.Tensor
    reliable: torch.Tensor
    region: torch.Tensor
    grid: Grid
    sweeps: int
    kernel: torch.Tensor
    noise_weight: torch.Tensor


def field_data(
    field_ppm: torch.Tensor,
    mask: torch.Tensor,
    grid: Grid,
    *,
    reliable: torch.Tensor | None = None,
    closed_mask: torch.Tensor | None = None,
    sweeps: int = SWEEPS,
) -> FieldData:
    """Return the field with its kernel.

    Parameters
    ----------
    field_ppm, mask, grid, sweeps
        As in :class:`FieldData`.
    reliable, closed_mask
        As in :class:`recon.types.TotalField`; the whole mask if not given.
    """
    shape, device = padded_shape(grid), field_ppm.device
    return FieldData(
        field_ppm=field_ppm,
        mask=mask,
        reliable=mask if reliable is None else reliable,
        region=_peeled(mask if closed_mask is None else closed_mask, grid),
        grid=grid,
        sweeps=sweeps,
        kernel=dipole_kernel(shape, grid.voxel_size_mm, grid.b0_direction, device),
        noise_weight=_noise_weight(shape, grid, device),
    )


def _peeled(closed: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return a mask peeled by the whole voxels in ``NETWORK.rim_mm``; a volume's face is not a rim."""
    reach = [int(NETWORK.rim_mm / size) for size in grid.voxel_size_mm]
    outside = (~closed)[None, None].float()
    width = [2 * r + 1 for r in reach]
    peeled: torch.Tensor = torch.nn.functional.max_pool3d(outside, width, stride=1, padding=reach)[0, 0] < 0.5
    return peeled


def _noise_weight(shape: tuple[int, int, int], grid: Grid, device: torch.device) -> torch.Tensor:
    """Return one over the power of a map's error (ppm² of a voxel's white noise) on the half spectrum of ``shape``."""
    (x, y, z), (dx, dy, dz) = shape, grid.voxel_size_mm
    k_squared = (
        torch.fft.fftfreq(x, dx, device=device)[:, None, None] ** 2
        + torch.fft.fftfreq(y, dy, device=device)[None, :, None] ** 2
        + torch.fft.rfftfreq(z, dz, device=device)[None, None, :] ** 2
    )
    weight: torch.Tensor = (1.0 + NETWORK.map_error_corner_mm**2 * k_squared) ** NETWORK.map_error_fall * (
        dx * dy * dz / NETWORK.map_error_ppm_mm15**2
    )
    return weight


def unexplained_field(chi_ppm: torch.Tensor, data: FieldData) -> torch.Tensor:
    """Return what the field has left after the map's field and any harmonic background are subtracted.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32, zero outside the mask.
    data
        The measured field.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, zero outside the region, on its outermost voxels and where the field says nothing.
    """
    left = data.field_ppm - convolve(chi_ppm, data.kernel, padded_shape(data.grid))
    left = torch.where(data.mask, left, torch.zeros_like(left))
    return local_field(left, data.region, data.grid, data.sweeps) * data.reliable


def consistent_step(chi_ppm: torch.Tensor, data: FieldData) -> torch.Tensor:
    """Return the map after one step towards the field, relative to its mean over the mask.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32, zero outside the mask.
    data
        The measured field.
    """
    left = unexplained_field(chi_ppm, data)
    regularisation = NETWORK.least_regularisation + residual_noise_ppm(left, data) ** 2 * data.noise_weight
    believed = left / (1.0 + (left / NETWORK.doubted_residual_ppm) ** 2)
    step = convolve(believed, data.kernel / (data.kernel**2 + regularisation), padded_shape(data.grid))
    return centred(chi_ppm + step, data.mask)


def residual_noise_ppm(left_ppm: torch.Tensor, data: FieldData) -> float:
    """Return the standard deviation of what is left, by its median, so that a few places do not rule it.

    Parameters
    ----------
    left_ppm
        ``(x, y, z)`` from :func:`unexplained_field`, exactly zero where it says nothing.
    data
        The measured field.
    """
    told = left_ppm[data.reliable & (left_ppm != 0)].abs()
    return _MAD_TO_SD * float(told.median()) if told.numel() else 0.0


def centred(volume: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Subtract the mean over the mask and zero the rest: a constant carries no information."""
    inside = volume[mask]
    mean = inside.mean() if inside.numel() else torch.zeros((), device=volume.device)
    return torch.where(mask, volume - mean, torch.zeros_like(volume))
