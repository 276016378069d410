"""What the network sees: the total field and what closed-form physics makes of it.

The closed-form maps are made with the true kernel (voxel size, B0 direction), so that one network serves every
geometry. All scalings are constants: nothing is normalised per volume.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np
import torch

from recon.field.reliability import trusted_voxels, without_open_voids
from recon.inversion.tikhonov import padded_shape
from recon.network.consistency import centred
from recon.operators.dipole import convolve, dipole_kernel
from recon.operators.lbv import interpolate_doubtful
from recon.operators.lbv_gpu import local_field
from recon.operators.vsharp import DEFAULT_RADII_MM, vsharp
from recon.types import Grid

CHI_UNIT_PPM: Final = 0.1
"""Unit of the network's susceptibilities."""
LOCAL_UNIT_PPM: Final = 0.05
FIELD_UNIT_PPM: Final = 0.3
NOISE_UNIT_PPM: Final = 0.02
NOISE_LIMIT: Final = 3.0
WEAK: Final = 0.008
"""Regularisation of the map that the network corrects."""
WEAKER: Final = 0.004

CHANNELS: Final = (
    "total field",
    "mask",
    "field noise",
    "local field, harmonic extension of the peeled mask",
    "susceptibility, Tikhonov 0.008 of the harmonic extension",
    "local field, V-SHARP",
    "susceptibility, Tikhonov 0.004 of V-SHARP",
    "residual of the first susceptibility",
)
TOTAL_CHANNEL: Final = 0
MASK_CHANNEL: Final = 1
NOISE_CHANNEL: Final = 2
LOCAL_CHANNEL: Final = 3
START_CHANNEL: Final = 4
RESIDUAL_CHANNEL: Final = 7
FEATURE_PARAMETERS: Final = MappingProxyType[str, str | float | int | bool](
    {
        "tikhonov_harmonic": WEAK,
        "tikhonov_vsharp": WEAKER,
        "vsharp_radii_mm": ", ".join(f"{r:g}" for r in DEFAULT_RADII_MM),
    }
)
"""Settings of the closed-form inputs, for provenance."""


def network_features(
    field_ppm: torch.Tensor,
    mask: torch.Tensor,
    noise_ppm: torch.Tensor,
    grid: Grid,
    *,
    trusted: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the network's input channels.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field.
    mask
        ``(x, y, z)`` bool.
    noise_ppm
        ``(x, y, z)`` float32 standard deviation of the field.
    grid
        Geometry.
    trusted
        ``(x, y, z)`` bool, where the field means something; None: wherever its noise is not useless.

    Returns
    -------
    torch.Tensor
        ``(channel, x, y, z)`` float32, channels as in :data:`CHANNELS`, zero outside the mask.
    """
    trusted = trusted_field(noise_ppm, mask, grid) if trusted is None else trusted
    field = centred(usable_field(field_ppm, mask, trusted, grid), mask)
    # No background may be read off the guesses that stand in a void open to the outside.
    closed = closed_mask(noise_ppm, mask, grid)
    local = local_field(field, closed, grid)
    spectrum_shape = padded_shape(grid)
    kernel = dipole_kernel(spectrum_shape, grid.voxel_size_mm, grid.b0_direction, field.device)
    chi = centred(convolve(local, kernel / (kernel**2 + WEAK), spectrum_shape), mask)
    residual = (local - convolve(chi, kernel, spectrum_shape)) * mask
    local_sharp = vsharp(field, closed, grid)
    chi_sharp = centred(convolve(local_sharp, kernel / (kernel**2 + WEAKER), spectrum_shape), mask)
    noise = torch.clamp(noise_ppm / NOISE_UNIT_PPM, max=NOISE_LIMIT) * mask
    return torch.stack(
        [
            field / FIELD_UNIT_PPM,
            mask.float(),
            noise,
            local / LOCAL_UNIT_PPM,
            chi / CHI_UNIT_PPM,
            local_sharp / LOCAL_UNIT_PPM,
            chi_sharp / CHI_UNIT_PPM,
            residual / LOCAL_UNIT_PPM,
        ]
    )


def trusted_field(
    noise_ppm: torch.Tensor, mask: torch.Tensor, grid: Grid, ppm_per_2pi: float | None = None
) -> torch.Tensor:
    """Return :func:`recon.field.reliability.trusted_voxels` on the mask's device."""
    trusted = trusted_voxels(noise_ppm.cpu().numpy(), mask.cpu().numpy(), grid, ppm_per_2pi)
    return torch.from_numpy(trusted).to(mask.device)


def closed_mask(noise_ppm: torch.Tensor, mask: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return the mask as :func:`recon.field.reliability.without_open_voids` leaves it, on its device."""
    return torch.from_numpy(without_open_voids(mask.cpu().numpy(), noise_ppm.cpu().numpy(), grid)).to(mask.device)


def usable_field(field_ppm: torch.Tensor, mask: torch.Tensor, trusted: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return the field with what its trusted neighbours suggest in place of values that are nothing but noise.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field.
    mask, trusted
        ``(x, y, z)`` bool; see :func:`trusted_field`.
    grid
        Geometry.
    """
    usable = interpolate_doubtful(field_ppm.cpu().numpy(), trusted.cpu().numpy(), mask.cpu().numpy(), grid)
    return torch.from_numpy(usable).to(field_ppm.device)


def start_map(features: torch.Tensor) -> torch.Tensor:
    """Return the closed-form map that the network's output is added to, in float32.

    Parameters
    ----------
    features
        ``(n, channel, x, y, z)``.

    Returns
    -------
    torch.Tensor
        ``(n, 1, x, y, z)`` in the network's unit.
    """
    return features[:, START_CHANNEL : START_CHANNEL + 1].float()


def pad_to_stride(shape: tuple[int, int, int], stride: int) -> tuple[int, int, int]:
    """Return the next sizes that are multiples of the network's stride."""
    x, y, z = (int(np.ceil(n / stride)) * stride for n in shape)
    return (x, y, z)
