"""Phase that belongs to a slice or a slab rather than to a place: 2D slices and volumes of several slabs."""

from __future__ import annotations

import math

import numpy as np
import torch

from recon.lab.simulation.draw.effect_plans import SlabsPlan, SlicesPlan


def slice_phase_rad(plan: SlicesPlan, count: int) -> torch.Tensor:
    """Return the phase ``(z,)`` of each of ``count`` slices, the same for all echoes."""
    jitter = np.random.default_rng(plan.seed).normal(0.0, 1.0, count)
    return torch.tensor(plan.jitter_rad * jitter + plan.growth_rad * np.arange(count), dtype=torch.float32)


def slab_phase_rad(plan: SlabsPlan, count: int, echo_time_s: float) -> torch.Tensor:
    """Return the phase ``(z,)`` of each of ``count`` slices at an echo time: that of its slab."""
    slab = torch.arange(count) * len(plan.phase_rad) // count
    phase = [p + 2 * math.pi * hz * echo_time_s for p, hz in zip(plan.phase_rad, plan.step_hz, strict=True)]
    return torch.tensor(phase, dtype=torch.float32)[slab]
