"""Phase of the radio-frequency field in conducting tissue: the curvature that phase-based conductivity mapping reads.

``∇² phase = 2 mu0 ω σ`` for transmit and receive together (Katscher & van den Berg 2017, doi:10.1002/nbm.3729); a
sphere of one conductivity has ``phase = mu0 ω σ r² / 3``.
"""

from __future__ import annotations

import math

import torch

from recon.lab.simulation.draw.effect_plans import ConductivityPlan
from recon.types import GAMMA_HZ_PER_TESLA

_MU0_H_PER_M = 4e-7 * math.pi


def conductivity_phase_rad(plan: ConductivityPlan, distance_mm: torch.Tensor, b0_tesla: float) -> torch.Tensor:
    """Return the phase at ``distance_mm`` from the middle of the head, any shape."""
    angular_hz = 2 * math.pi * GAMMA_HZ_PER_TESLA * b0_tesla
    return _MU0_H_PER_M * angular_hz * plan.sigma_s_per_m / 3.0 * (distance_mm * 1e-3) ** 2
