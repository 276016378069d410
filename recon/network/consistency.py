"""Hold a map to the measured field: closed-form steps with the true kernel and a free background.

``χ + D r / (D² + λ(k))`` with ``r`` the field that neither the map nor any harmonic background explains. As in Wiener's
filter, λ is the power of what no map explains over the power of the map's error. That error falls steeply with spatial
frequency: coarse structure, and with it the mean of a region, is set by the field; fine structure and what lies near
the magic angle stay with the map. Both powers are what the residual itself shows
(:mod:`recon.network.residual_power`), so that a field that is better or worse than stated, or that no scalar
susceptibility explains, is used accordingly. Phase a turn off is doubted, and the rim of the mask counts as an outside
source (data-consistent steps inside a learned inversion: Cognolato 2023, doi:10.1016/j.media.2022.102700; harmonic
background by its boundary values: Zhou 2014, doi:10.1002/nbm.3064).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch

from recon.inversion.closed_form import padded_shape
from recon.network.constants import NETWORK
from recon.network.residual_power import Shells, error_over_expected, make_shells, noise_variance_ppm2
from recon.operators.dipole import convolve, dipole_kernel, k_axes
from recon.operators.lbv import SWEEPS
from recon.operators.lbv_gpu import local_field
from recon.types import Grid

REGULARISATION: Final = (
    f"variance per wavelength of the residual, cut at 3 SD, at |D| < {NETWORK.on_cone} / "
    f"({NETWORK.map_error_ppm_mm15} ppm)^2 (voxel / mm^3) "
    f"(1 + ({NETWORK.map_error_corner_mm:g} mm k)^2)^{NETWORK.map_error_fall} / "
    f"the map's error over the expected one (1 to {NETWORK.most_error:g}) at |D| > {NETWORK.beside_cone}, "
    f"{NETWORK.shortest_error_mm:g} to {NETWORK.longest_error_mm:g} mm"
)
"""λ, for provenance."""


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
        Dipole kernel on the half spectrum of :func:`recon.inversion.closed_form.padded_shape`.
    """

    field_ppm: torch.Tensor
    mask: torch.Tensor
    reliable: torch.Tensor
    region: torch.Tensor
    grid: Grid
    sweeps: int
    kernel: torch.Tensor

    @cached_property
    def noise_weight(self) -> torch.Tensor:
        """λ of noise of 1 ppm², on the kernel's half spectrum, where the map's error is the expected one."""
        return _noise_weight(padded_shape(self.grid), self.grid, self.kernel.device)

    @cached_property
    def shells(self) -> Shells:
        """Where noise and error are measured."""
        return make_shells(self.kernel, self.noise_weight, padded_shape(self.grid), self.grid)


def field_data(
    field_ppm: torch.Tensor,
    mask: torch.Tensor,
    grid: Grid,
    *,
    reliable: torch.Tensor | None = None,
    closed_mask: torch.Tensor | None = None,
    sweeps: int = SWEEPS,
) -> FieldData:
    """Return the field with its kernel, as described by :class:`FieldData`.

    ``reliable`` and ``closed_mask`` are those of :class:`recon.types.TotalField`; the whole mask if not given.
    """
    return FieldData(
        field_ppm=field_ppm,
        mask=mask,
        reliable=mask if reliable is None else reliable,
        region=_peeled(mask if closed_mask is None else closed_mask, grid),
        grid=grid,
        sweeps=sweeps,
        kernel=dipole_kernel(padded_shape(grid), grid, field_ppm.device),
    )


def _peeled(closed: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return a mask peeled by the whole voxels in ``NETWORK.rim_mm``; a volume's face is not a rim."""
    peeled = closed
    for axis, (length, size) in enumerate(zip(closed.shape, grid.voxel_size_mm, strict=True)):
        inside = peeled.clone()
        for shift in range(1, min(int(NETWORK.rim_mm / size), length - 1) + 1):
            kept = length - shift
            inside.narrow(axis, shift, kept).logical_and_(peeled.narrow(axis, 0, kept))
            inside.narrow(axis, 0, kept).logical_and_(peeled.narrow(axis, shift, kept))
        peeled = inside
    return peeled


def _noise_weight(shape: tuple[int, int, int], grid: Grid, device: torch.device) -> torch.Tensor:
    """Return one over the power of a map's error (ppm² of a voxel's white noise) on the half spectrum of ``shape``."""
    kx, ky, kz = k_axes(shape, grid.voxel_size_mm, device)
    k_squared = kx**2 + ky**2 + kz**2
    weight: torch.Tensor = (1.0 + NETWORK.map_error_corner_mm**2 * k_squared) ** NETWORK.map_error_fall * (
        grid.voxel_volume_mm3 / NETWORK.map_error_ppm_mm15**2
    )
    return weight


def unexplained_field(chi_ppm: torch.Tensor, data: FieldData) -> torch.Tensor:
    """Return the field in ppm that is left after the map's field and any harmonic background are subtracted.

    It is ``(x, y, z)`` float32, zero outside the region, on its outermost voxels and where the field is not reliable;
    the map is zero outside the mask.
    """
    left = data.field_ppm - convolve(chi_ppm, data.kernel, padded_shape(data.grid))
    left = torch.where(data.mask, left, torch.zeros_like(left))
    return local_field(left, data.region, data.grid, data.sweeps) * data.reliable


def steps_towards_field(chi_ppm: torch.Tensor, data: FieldData, count: int) -> torch.Tensor:
    """Return a map ``(x, y, z)`` after some steps, relative to its mean over the mask, zero outside."""
    shape, shells = padded_shape(data.grid), data.shells
    larger: torch.Tensor | None = None
    for _ in range(count):
        left = unexplained_field(chi_ppm, data)
        if larger is None:
            larger = error_over_expected(left, shells, shape)
        variance = (noise_variance_ppm2(left, shells, shape) / larger).float()
        regularisation = data.noise_weight * variance[shells.number.int()]
        believed = left / (1.0 + (left / NETWORK.doubted_residual_ppm) ** 2)
        step = convolve(believed, data.kernel / (data.kernel**2 + regularisation), shape)
        chi_ppm = centred(chi_ppm + step, data.mask)
    return chi_ppm


def centred(volume: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Subtract the mean over the mask and zero the rest: a constant carries no information."""
    inside = volume[mask]
    mean = inside.mean() if inside.numel() else torch.zeros((), device=volume.device)
    return torch.where(mask, volume - mean, torch.zeros_like(volume))
