"""Chemical shift of the scalp's fat: displaced along the readout, and back again in a bipolar train."""

from __future__ import annotations

import math

import torch

from recon.lab.simulation.draw.effect_plans import FatPlan
from recon.lab.simulation.tissue import FAT_SHIFT_PPM
from recon.types import GAMMA_HZ_PER_TESLA


def displacement_voxels(plan: FatPlan, echo: int, b0_tesla: float) -> float:
    """Return how far fat lies from its place along x in echo number ``echo``, counted from 0."""
    voxels = FAT_SHIFT_PPM * 1e-6 * GAMMA_HZ_PER_TESLA * b0_tesla / plan.bandwidth_hz
    return -voxels if plan.bipolar and echo % 2 else voxels


def displaced(image: torch.Tensor, points: float) -> torch.Tensor:
    """Move a complex image ``(..., x, y, z)`` by a fraction of the lattice along x; its power stays."""
    cycles = torch.fft.fftfreq(image.shape[-3], device=image.device)
    ramp = torch.polar(torch.ones_like(cycles), -2 * math.pi * points * cycles)
    moved: torch.Tensor = torch.fft.ifft(torch.fft.fft(image, dim=-3) * ramp[:, None, None], dim=-3)
    return moved
