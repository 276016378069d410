"""What the network sees: the total field and what closed-form physics makes of it.

The closed-form maps are made with the true kernel (voxel size, B0 direction), so that one network serves every
geometry. All scalings are constants: nothing is normalised per volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import torch

from recon.inversion.closed_form import padded_shape
from recon.network.consistency import centred
from recon.operators.dipole import convolve, dipole_kernel
from recon.operators.lbv import interpolate_doubtful
from recon.operators.lbv_gpu import local_field
from recon.operators.vsharp import RADII_MM, vsharp
from recon.types import Grid, TotalField

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
Channels = torch.Tensor | Sequence[torch.Tensor]
"""Features, ``(channel, x, y, z)``, in one tensor or several."""
FEATURE_PARAMETERS: Final = MappingProxyType[str, str | float | int | bool](
    {
        "tikhonov_harmonic": WEAK,
        "tikhonov_vsharp": WEAKER,
        "vsharp_radii_mm": ", ".join(f"{r:g}" for r in RADII_MM),
    }
)
"""Settings of the closed-form inputs, for provenance."""


@dataclass(frozen=True, kw_only=True)
class FieldTensors:
    """A total field on the device where it is inverted; ``(x, y, z)`` each, as in :class:`recon.types.TotalField`.

    ``usable_ppm`` is the field with what its reliable neighbours suggest in place of values that are nothing but noise.
    """

    field_ppm: torch.Tensor
    usable_ppm: torch.Tensor
    mask: torch.Tensor
    noise_ppm: torch.Tensor
    reliable: torch.Tensor
    closed_mask: torch.Tensor
    grid: Grid
    ppm_per_2pi: float | None

    def believed(self, field_ppm: torch.Tensor, reliable: torch.Tensor) -> FieldTensors:
        """Return the same with another field, of which other voxels are reliable."""
        field, where, mask = (volume.cpu().numpy() for volume in (field_ppm, reliable, self.mask))
        usable = interpolate_doubtful(field, where, mask, self.grid)
        usable_ppm = torch.from_numpy(usable).to(field_ppm.device)
        return replace(self, field_ppm=field_ppm, usable_ppm=usable_ppm, reliable=reliable)


def field_tensors(total: TotalField, device: torch.device | str = "cpu") -> FieldTensors:
    """Bring a total field to a device."""
    usable = interpolate_doubtful(total.field_ppm, total.reliable, total.mask, total.grid)
    field_ppm, usable_ppm, mask, noise_ppm, reliable, closed_mask = (
        torch.from_numpy(volume).to(device)
        for volume in (total.field_ppm, usable, total.mask, total.noise_ppm, total.reliable, total.closed_mask)
    )
    return FieldTensors(
        field_ppm=field_ppm,
        usable_ppm=usable_ppm,
        mask=mask,
        noise_ppm=noise_ppm,
        reliable=reliable,
        closed_mask=closed_mask,
        grid=total.grid,
        ppm_per_2pi=total.ppm_per_2pi,
    )


def network_features(measured: FieldTensors) -> torch.Tensor:
    """Return the network's input, ``(channel, x, y, z)`` float32: :data:`CHANNELS`, zero outside the mask."""
    # No background may be fitted to the guesses that stand in a void open to the outside.
    mask, closed, grid = measured.mask, measured.closed_mask, measured.grid
    field = centred(measured.usable_ppm, mask)
    local = local_field(field, closed, grid)
    spectrum_shape = padded_shape(grid)
    kernel = dipole_kernel(spectrum_shape, grid, field.device)
    chi = centred(convolve(local, kernel / (kernel**2 + WEAK), spectrum_shape), mask)
    residual = (local - convolve(chi, kernel, spectrum_shape)) * mask
    local_vsharp = vsharp(field, closed, grid)
    chi_vsharp = centred(convolve(local_vsharp, kernel / (kernel**2 + WEAKER), spectrum_shape), mask)
    noise = torch.clamp(measured.noise_ppm / NOISE_UNIT_PPM, max=NOISE_LIMIT) * mask
    return torch.stack(
        [
            field / FIELD_UNIT_PPM,
            mask.float(),
            noise,
            local / LOCAL_UNIT_PPM,
            chi / CHI_UNIT_PPM,
            local_vsharp / LOCAL_UNIT_PPM,
            chi_vsharp / CHI_UNIT_PPM,
            residual / LOCAL_UNIT_PPM,
        ]
    )


def start_map(features: torch.Tensor) -> torch.Tensor:
    """Return the closed-form map that the network's output is added to.

    It is ``(n, 1, x, y, z)`` float32 in the network's unit, of features ``(n, channel, x, y, z)``.
    """
    return features[:, START_CHANNEL : START_CHANNEL + 1].float()


def pad_to_stride(shape: tuple[int, int, int], stride: int) -> tuple[int, int, int]:
    """Return the next sizes that are multiples of the network's stride."""
    x, y, z = (-(-n // stride) * stride for n in shape)
    return (x, y, z)


def padded_to_stride(channels: Channels, stride: int, *, mirrored: bool = False) -> torch.Tensor:
    """Return channels ``(x, y, z)`` as a batch of one, with zeros up to multiples of the network's stride.

    All axes of the whole are reversed if ``mirrored``.
    """
    x, y, z = channels[0].shape
    padded = pad_to_stride((x, y, z), stride)
    batch = torch.zeros(1, len(channels), *padded, device=channels[0].device)
    for number, channel in enumerate(channels):
        if mirrored:
            batch[0, number, padded[0] - x :, padded[1] - y :, padded[2] - z :] = torch.flip(channel, (0, 1, 2))
        else:
            batch[0, number, :x, :y, :z] = channel
    return batch
