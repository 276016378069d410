"""Make one training volume: what the network will see, and the truth it must find."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from recon.errors import InvalidInputError
from recon.field.constants import FIELD
from recon.field.reliability import total_field_of
from recon.field.total import total_field
from recon.lab.simulation.background import background_field
from recon.lab.simulation.draw.background import draw_background
from recon.lab.simulation.draw.effect_plans import NO_EFFECTS
from recon.lab.simulation.draw.plan import ScanPlan, SubjectPlan
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.effects.apply import disturbed_field_ppm
from recon.lab.simulation.field import head_field, shim
from recon.lab.simulation.scan import gradient_echo
from recon.lab.simulation.signal import average, fitted_field_ppm, measure
from recon.lab.simulation.template import Template, sample
from recon.lab.training.subjects import draw_subject
from recon.network.features import CHI_UNIT_PPM, FieldTensors, field_tensors, network_features
from recon.types import Grid, TotalField

_LOG = logging.getLogger(__name__)

RECIPE = 2
"""How a head follows from its number; raised with every change that makes other heads of the same numbers."""
_BONE_NOISE_RATIO = 6.0
_RIM_MM = 8.0
_BRAIN_RADIUS_MM = 80.0
_ISLAND_VOXELS, _ISLAND_SHARE = 4, 0.02
"""Least voxels of an island inside a bleed, and its largest share of the brain."""
_BOWL_PPM = 0.004
"""Standard deviation of the curvature that the phase of a single echo is left with, at the brain's radius."""


@dataclass(frozen=True, kw_only=True)
class Volume:
    """One head ready for training.

    Parameters
    ----------
    features
        ``(channel, x, y, z)`` float32.
    target
        ``(x, y, z)`` float32 susceptibility in the network's unit, mean over ``weight`` zero.
    weight
        ``(x, y, z)`` bool: where the loss counts.
    measured
        What the features were made of.
    """

    features: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor
    measured: FieldTensors


def make_volume(purpose: Purpose, index: int, template: Template) -> Volume:
    """Draw and simulate the head with number ``index`` of a purpose."""
    rng = generator(purpose, index)
    return simulate_volume(draw_subject(rng), rng, template)


def simulate_volume(subject: SubjectPlan, rng: np.random.Generator, template: Template) -> Volume:
    """Simulate a subject's measured field and compute the network's inputs from it.

    Where the scan has effects, the field is that of the phase step on its echoes; elsewhere, and where the phase step
    rejects the echoes, it is the fitted field with the errors of a measurement added.
    """
    scan = subject.scan
    parts = scan.oversample
    made = head_field(subject.head, scan, template)
    background = background_field(draw_background(rng, subject.head, scan, template), made.lattice)
    disturbed = disturbed_field_ppm(made, scan, scan.effects) + background
    fine = shim(disturbed, made.volumes.brain, made.lattice.spacing_mm, scan.shim_residual)
    field, noise = fitted_field_ppm(made, fine, scan)
    chi = average(made.volumes.chi_ppm, parts)
    brain = average(made.volumes.brain.float(), parts) > 0.5
    distance = sample(template.distance_mm, template.distance_origin_mm, 2.0, made.lattice.template_mm)[0]
    mask = _measured_mask(rng, average(distance, parts), noise, subject.head.gap_mm)
    total = None if scan.effects == NO_EFFECTS else _total_field_of_echoes(measure(made, fine, scan), scan, mask)
    if total is None:
        total = _known_total_field(_measured_field(rng, field, noise, scan), noise, mask, scan)
    measured = field_tensors(total, chi.device)
    weight = measured.mask & brain
    target = torch.where(measured.mask, chi - chi[weight].mean(), torch.zeros_like(chi)) / CHI_UNIT_PPM
    return Volume(features=network_features(measured), target=target, weight=weight, measured=measured)


def _total_field_of_echoes(signal: torch.Tensor, scan: ScanPlan, mask: torch.Tensor) -> TotalField | None:
    """Return what the phase step makes of complex echoes ``(echo, x, y, z)``; None if it rejects them."""
    try:
        return total_field(gradient_echo(signal, scan), mask=mask.numpy())
    except InvalidInputError as error:
        _LOG.info("the phase step rejects a head: %s", error)
        return None


def _known_total_field(
    field_ppm: torch.Tensor, noise_ppm: torch.Tensor, mask: torch.Tensor, scan: ScanPlan
) -> TotalField:
    """Return a field of known standard deviation, each ``(x, y, z)``, as the phase step would."""
    grid = Grid(shape=scan.shape, voxel_size_mm=scan.voxel_size_mm, b0_direction=scan.b0_direction)
    field, noise, inside = (volume.numpy() for volume in (field_ppm, noise_ppm, mask))
    return total_field_of(field, noise, inside, grid, scan.doubtful_turn_ppm)


def _measured_mask(
    rng: np.random.Generator, distance_mm: torch.Tensor, noise_ppm: torch.Tensor, gap_mm: float
) -> torch.Tensor:
    """Return a brain mask as extraction gives it: too small, exact, or up to the bone; with or without holes."""
    exact = rng.random() < 0.3
    shift_mm = 0.0 if exact else float(rng.uniform(-4.0, gap_mm + 0.5))
    ripple = _smooth_noise(rng, distance_mm, 12) * (0.0 if exact else float(rng.uniform(0.0, 1.0)))
    mask = distance_mm + ripple < shift_mm
    if not exact:
        # Bone has next to no signal: a mask that is checked against phase quality never holds much of it.
        mask &= (noise_ppm < _BONE_NOISE_RATIO * noise_ppm[distance_mm < 0].median()) | (distance_mm < 0)
    if rng.random() < 0.4:
        # Poor phase is left out at the rim; deeper down it is a bleed, which most masks keep.
        poor = noise_ppm > float(np.exp(rng.uniform(np.log(0.02), np.log(0.3))))
        mask &= ~(poor & (distance_mm > -_RIM_MM)) if rng.random() < 0.7 else ~poor
    if rng.random() < 0.1:  # coverage that ends inside the brain
        slices = mask.shape[2]
        cut = int(rng.integers(1, max(2, slices // 3)))
        mask[..., slices - cut :] = False
    return mask


def _measured_field(
    rng: np.random.Generator, field_ppm: torch.Tensor, noise_ppm: torch.Tensor, scan: ScanPlan
) -> torch.Tensor:
    """Add noise, a few 2π errors and, for a single echo, what is left of the receive phase."""
    generator_ = torch.Generator().manual_seed(int(rng.integers(2**31)))
    white = torch.randn(field_ppm.shape, generator=generator_)
    if rng.random() < 0.2:
        white = _interpolated(white, float(rng.uniform(0.55, 0.9)))
    measured = field_ppm + white * noise_ppm * float(rng.uniform(0.8, 1.3))
    ppm_per_2pi = scan.ppm_per_2pi
    if rng.random() < 0.3:
        doubtful = (noise_ppm > 0.15 * ppm_per_2pi) & (_smooth_noise(rng, field_ppm, 6) > 1.0)
        measured = measured + doubtful * ppm_per_2pi * float(rng.choice([-1.0, 1.0]))
    if rng.random() < 0.3:
        measured = measured + ppm_per_2pi * _turned_islands(rng, noise_ppm)
    if len(scan.echo_times_s) == 1:
        offset_turns = _smooth_noise(rng, field_ppm, 70) * float(rng.uniform(0.0, 0.03))
        measured = measured + offset_turns * ppm_per_2pi + _bowl(rng, field_ppm, scan.voxel_size_mm)
    return measured + float(rng.normal(0.0, 0.1))


def _turned_islands(rng: np.random.Generator, noise_ppm: torch.Tensor) -> torch.Tensor:
    """Return by how many turns islands of good phase are off: no path leads through the void of a bleed around them."""
    islands, count = ndimage.label((noise_ppm < FIELD.useless_ppm).numpy())
    sizes = np.bincount(islands.ravel(), minlength=count + 1)
    turns = rng.choice((-1.0, 0.0, 1.0), size=count + 1, p=(0.15, 0.7, 0.15))
    largest = sizes[1:].max(initial=0)
    turns[(sizes < _ISLAND_VOXELS) | (sizes > _ISLAND_SHARE * largest)] = 0.0
    turns[0] = 0.0
    return torch.from_numpy(turns[islands].astype(np.float32))


def _bowl(rng: np.random.Generator, like: torch.Tensor, voxel_size_mm: tuple[float, float, float]) -> torch.Tensor:
    """Return what is left of the receive phase's ``r²`` when it was estimated and removed, in ppm."""
    x, y, z = (
        ((torch.arange(n) - (n - 1) / 2) * d / _BRAIN_RADIUS_MM) ** 2
        for n, d in zip(like.shape, voxel_size_mm, strict=True)
    )
    bowl: torch.Tensor = x[:, None, None] + y[None, :, None] + z
    return bowl * float(rng.normal(0.0, _BOWL_PPM))


def _interpolated(noise: torch.Tensor, share: float) -> torch.Tensor:
    """Return noise as zero-filling in the plane leaves it: the outer part of k-space is empty, the power the same."""
    spectrum = torch.fft.fftn(noise, dim=(0, 1))
    for axis in (0, 1):
        inside = torch.fft.fftfreq(noise.shape[axis]).abs() <= 0.5 * share
        spectrum *= inside.reshape(-1, 1, 1) if axis == 0 else inside.reshape(1, -1, 1)
    left: torch.Tensor = torch.fft.ifftn(spectrum, dim=(0, 1)).real
    return left * (noise.std() / left.std())


def _smooth_noise(rng: np.random.Generator, like: torch.Tensor, scale_voxels: int) -> torch.Tensor:
    """Return smooth noise of about unit standard deviation with structure of the given size."""
    shape = [max(2, n // scale_voxels + 2) for n in like.shape]
    coarse = torch.tensor(rng.standard_normal(shape), dtype=torch.float32)[None, None]
    fine = torch.nn.functional.interpolate(coarse, size=like.shape, mode="trilinear", align_corners=True)
    return fine[0, 0] * 1.6
