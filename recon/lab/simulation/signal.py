"""From a head and its field to what the scanner measures: complex echoes, or directly the noisy field.

``S(TE) = M0 · coil · exp(-TE R2*) · exp(i (2π γ B0 TE field + offset)) + noise``, averaged over subvoxels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from recon.lab.simulation.draw.plan import ScanPlan
from recon.lab.simulation.effects.apply import (
    dephasing_factor,
    fine_signal,
    image_echoes,
    image_noise,
    lattice_effects,
)
from recon.lab.simulation.effects.kspace import truncated
from recon.lab.simulation.field import HeadField
from recon.lab.simulation.lattice import along
from recon.lab.simulation.tissue import AIR_CHI_PPM, FAT_SHIFT_PPM, R2STAR_PER_PPM_TESLA
from recon.types import GAMMA_HZ_PER_TESLA

_STRAY_CHI_LIMIT_PPM = 5.0


def average(volume: torch.Tensor, oversample: tuple[int, int, int]) -> torch.Tensor:
    """Average blocks of subvoxels."""
    if oversample == (1, 1, 1):
        return volume
    a, b, c = oversample
    x, y, z = volume.shape
    return volume.reshape(x // a, a, y // b, b, z // c, c).mean(dim=(1, 3, 5))


def relaxation_per_s(made: HeadField, scan: ScanPlan) -> torch.Tensor:
    """Return R2* at the scan's field strength, with the share that strong susceptibility adds."""
    chi = made.volumes.chi_ppm
    strong = torch.where(chi > AIR_CHI_PPM / 2, 0.0, chi.abs().clamp(max=_STRAY_CHI_LIMIT_PPM))
    brain = made.volumes.brain
    return made.volumes.r2star_per_s * (scan.b0_tesla / 3.0) + strong * brain * R2STAR_PER_PPM_TESLA * scan.b0_tesla


def coil_sensitivity(made: HeadField, fall: float) -> torch.Tensor:
    """Return a smooth receive profile: 1 at the rim of the head, ``1 - fall`` in its middle."""
    lattice = made.lattice
    squared = torch.zeros(lattice.shape)
    for axis in range(3):
        squared = squared + along(lattice.axis_mm(axis) / 100.0, axis) ** 2
    return 1.0 - fall * torch.exp(-1.5 * squared)


def dephasing(field_ppm: torch.Tensor, echo_time_s: float, b0_tesla: float) -> torch.Tensor:
    """Return the signal that the field's gradient leaves across one point of the lattice."""
    turns_per_ppm = GAMMA_HZ_PER_TESLA * b0_tesla * 1e-6 * echo_time_s
    left = torch.ones_like(field_ppm)
    for slope in torch.gradient(field_ppm):
        left = left * torch.sinc(slope * turns_per_ppm).abs()
    return left


def offset_phase_rad(made: HeadField, scan: ScanPlan) -> torch.Tensor:
    """Return the receive phase: constant, linear and quadratic over the field of view."""
    lattice = made.lattice
    constant, *linear, quadratic = scan.offset_rad
    phase = torch.full(lattice.shape, float(constant))
    for axis in range(3):
        half = max(abs(lattice.axis_mm(axis)[0]), lattice.spacing_mm[axis])
        unit = along(lattice.axis_mm(axis) / half, axis)
        phase = phase + (linear[axis] * unit + quadratic / 3.0 * unit**2)
    return phase


def _decays(
    made: HeadField, field_ppm: torch.Tensor, scan: ScanPlan
) -> Iterator[tuple[float, torch.Tensor, torch.Tensor]]:
    """Yield every echo time in seconds, the decayed magnitude at it, and its dephasing; ``(x, y, z)``, fine lattice."""
    base = made.volumes.signal * coil_sensitivity(made, scan.coil_fall)
    decay = relaxation_per_s(made, scan)
    for echo_time_s in scan.echo_times_s:
        yield echo_time_s, base * torch.exp(-echo_time_s * decay), dephasing(field_ppm, echo_time_s, scan.b0_tesla)


def measure(made: HeadField, field_ppm: torch.Tensor, scan: ScanPlan) -> torch.Tensor:
    """Return the complex echoes ``(echo, x, y, z)`` of a shimmed field on the fine lattice, with noise."""
    offset, ready = offset_phase_rad(made, scan), lattice_effects(made, scan, scan.effects)
    echoes = []
    for number, (echo_time, decayed, linear) in enumerate(_decays(made, field_ppm, scan)):
        angle = 2 * math.pi * GAMMA_HZ_PER_TESLA * scan.b0_tesla * 1e-6 * echo_time
        phase = angle * (field_ppm + FAT_SHIFT_PPM * made.volumes.fat) + offset
        if scan.bipolar_rad:
            sign = 1.0 if number % 2 == 0 else -1.0
            ramp = torch.linspace(-1, 1, phase.shape[0])[:, None, None]
            phase = phase + 0.5 * sign * scan.bipolar_rad * ramp
        left = dephasing_factor(field_ppm, decayed, linear, scan, number, scan.effects)
        magnitude, phase = decayed * left.abs(), phase + left.angle()
        signal = torch.complex(magnitude * torch.cos(phase), magnitude * torch.sin(phase))
        signal = fine_signal(signal, made.volumes.fat, ready, scan, number, scan.effects)
        echoes.append(_voxels(signal, scan))
    return _with_noise(image_echoes(torch.stack(echoes), scan, scan.effects), scan)


def _voxels(signal: torch.Tensor, scan: ScanPlan) -> torch.Tensor:
    """Sum a complex signal over its subvoxels, in k-space where the plan says how that was acquired."""
    if scan.effects.kspace:
        return truncated(signal, scan.shape)
    real, imaginary = signal.real.contiguous(), signal.imag.contiguous()
    return torch.complex(average(real, scan.oversample), average(imaginary, scan.oversample))


def _with_noise(signal: torch.Tensor, scan: ScanPlan) -> torch.Tensor:
    """Add complex Gaussian noise."""
    if math.isinf(scan.snr):
        return signal
    generator = torch.Generator().manual_seed(scan.noise_seed)
    noise = torch.randn(2, *signal.shape, generator=generator) / scan.snr
    return signal + image_noise(torch.complex(noise[0], noise[1]), scan.effects)


def fitted_field_ppm(made: HeadField, field_ppm: torch.Tensor, scan: ScanPlan) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the field that a weighted fit of the echoes gives without noise or wraps, and its standard deviation.

    Subvoxels add as complex numbers, as in :func:`measure`: what they dephase is lost, and the brightest count most.
    The given field is shimmed, on the fine lattice; both results are ``(x, y, z)`` float32 in ppm on the image's grid.
    """
    middle = average(field_ppm, scan.oversample)
    apart = field_ppm - _spread(middle, scan.oversample)
    information, weighted = torch.zeros_like(middle), torch.zeros_like(middle)
    turns_per_ppm_s = GAMMA_HZ_PER_TESLA * scan.b0_tesla * 1e-6
    for echo_time, decayed, left in _decays(made, field_ppm, scan):
        angle = 2 * math.pi * turns_per_ppm_s * echo_time
        magnitude = decayed * left
        real = average(magnitude * torch.cos(angle * apart), scan.oversample)
        imaginary = average(magnitude * torch.sin(angle * apart), scan.oversample)
        weight = (real**2 + imaginary**2) * echo_time**2
        weighted += weight * torch.atan2(imaginary, real) / angle
        information += weight
    noise = 1.0 / (scan.snr * 2 * math.pi * turns_per_ppm_s * torch.sqrt(information).clamp(min=1e-9))
    # Phase noise saturates: a voxel without signal has a uniformly random phase.
    limit = 1.0 / (turns_per_ppm_s * max(scan.echo_times_s) * math.sqrt(12.0))
    return middle + weighted / information.clamp(min=1e-18), noise.clamp(max=limit)


def _spread(volume: torch.Tensor, oversample: tuple[int, int, int]) -> torch.Tensor:
    """Give every subvoxel its voxel's value."""
    for axis, parts in enumerate(oversample):
        volume = volume.repeat_interleave(parts, dim=axis)
    return volume
