"""Make one training volume: what the network will see, and the truth it must find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from recon.network.features import CHI_UNIT_PPM, network_features
from recon.simulation.field import head_field, shim
from recon.simulation.plan import SubjectPlan
from recon.simulation.seeds import Purpose, generator
from recon.simulation.signal import field_noise_ppm
from recon.simulation.template import Template, sample
from recon.training.subjects import draw_subject
from recon.types import GAMMA_HZ_PER_TESLA, Grid

_BONE_NOISE_RATIO = 6.0


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
    """

    features: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


def make_volume(purpose: Purpose, index: int, template: Template) -> Volume:
    """Draw and simulate the head with number ``index`` of a purpose."""
    rng = generator(purpose, index)
    return simulate_volume(draw_subject(rng), rng, template)


def simulate_volume(subject: SubjectPlan, rng: np.random.Generator, template: Template) -> Volume:
    """Simulate a subject's measured field and compute the network's inputs from it."""
    scan = subject.scan
    made = head_field(subject.head, scan, template)
    brain = made.volumes.brain
    field = shim(made.field_ppm, brain, scan.voxel_size_mm, scan.shim_residual)
    noise = field_noise_ppm(made, field, scan)
    distance = sample(template.distance_mm, template.distance_origin_mm, 2.0, made.lattice.template_mm)[0]
    mask = _measured_mask(rng, distance, noise, subject.head.gap_mm)
    measured = _measured_field(rng, field, noise, scan.b0_tesla, scan.echo_times_s)
    grid = Grid(shape=scan.shape, voxel_size_mm=scan.voxel_size_mm, b0_direction=scan.b0_direction)
    features = network_features(measured, mask, noise, grid)
    weight = mask & brain
    chi = made.volumes.chi_ppm
    target = torch.where(mask, chi - chi[weight].mean(), torch.zeros_like(chi)) / CHI_UNIT_PPM
    return Volume(features=features, target=target, weight=weight)


def _measured_mask(
    rng: np.random.Generator, distance_mm: torch.Tensor, noise_ppm: torch.Tensor, gap_mm: float
) -> torch.Tensor:
    """Return a brain mask as extraction gives it: too small, exact, or up to the bone; with or without holes."""
    exact = rng.random() < 0.3
    shift_mm = 0.0 if exact else float(rng.uniform(-3.0, gap_mm + 0.5))
    ripple = _smooth_noise(rng, distance_mm, 12) * (0.0 if exact else float(rng.uniform(0.0, 1.0)))
    mask = distance_mm + ripple < shift_mm
    if not exact:
        # Bone has next to no signal: a mask that is checked against phase quality never holds much of it.
        mask &= noise_ppm < _BONE_NOISE_RATIO * noise_ppm[distance_mm < 0].median()
    if rng.random() < 0.4:
        mask &= noise_ppm < float(np.exp(rng.uniform(np.log(0.02), np.log(0.3))))
    return mask


def _measured_field(
    rng: np.random.Generator,
    field_ppm: torch.Tensor,
    noise_ppm: torch.Tensor,
    b0_tesla: float,
    echo_times_s: tuple[float, ...],
) -> torch.Tensor:
    """Add noise, a few 2π errors and, for a single echo, what is left of the receive phase."""
    generator_ = torch.Generator().manual_seed(int(rng.integers(2**31)))
    white = torch.randn(field_ppm.shape, generator=generator_).to(field_ppm.device)
    measured = field_ppm + white * noise_ppm * float(rng.uniform(0.8, 1.3))
    turn_ppm = 1.0 / (GAMMA_HZ_PER_TESLA * b0_tesla * 1e-6 * echo_times_s[-1])
    if rng.random() < 0.3:
        doubtful = (noise_ppm > 0.15 * turn_ppm) & (_smooth_noise(rng, field_ppm, 6) > 1.0)
        measured = measured + doubtful * turn_ppm * float(rng.choice([-1.0, 1.0]))
    if len(echo_times_s) == 1:
        offset_turns = _smooth_noise(rng, field_ppm, 70) * float(rng.uniform(0.0, 0.15))
        measured = measured + offset_turns * turn_ppm
    return measured + float(rng.normal(0.0, 0.1))


def _smooth_noise(rng: np.random.Generator, like: torch.Tensor, scale_voxels: int) -> torch.Tensor:
    """Return smooth noise of about unit standard deviation with structure of the given size."""
    shape = [max(2, n // scale_voxels + 2) for n in like.shape]
    coarse = torch.tensor(rng.standard_normal(shape), dtype=torch.float32)[None, None]
    fine = torch.nn.functional.interpolate(coarse, size=like.shape, mode="trilinear", align_corners=True)
    return (fine[0, 0] * 1.6).to(like.device)
