"""The phase of conducting tissue has the curvature that conductivity mapping reads."""

import math

import torch

from recon.lab.simulation.draw.effect_plans import ConductivityPlan
from recon.lab.simulation.effects.conductivity import conductivity_phase_rad


def test_the_laplacian_is_twice_permeability_times_frequency_times_conductivity():
    axis = torch.arange(-4.0, 5.0, dtype=torch.float64)
    distance = torch.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None] ** 2)
    phase = conductivity_phase_rad(ConductivityPlan(sigma_s_per_m=0.6), distance, 3.0)
    bent = [phase.diff(n=2, dim=axis) for axis in range(3)]
    laplacian = bent[0][:, 1:-1, 1:-1] + bent[1][1:-1, :, 1:-1] + bent[2][1:-1, 1:-1]
    expected = 2 * 4e-7 * math.pi * 2 * math.pi * 127.732434e6 * 0.6
    torch.testing.assert_close(laplacian / 1e-6, torch.full_like(laplacian, expected), rtol=1e-6, atol=0)


def test_no_conductivity_leaves_no_phase():
    assert not conductivity_phase_rad(ConductivityPlan(sigma_s_per_m=0.0), torch.rand(3, 4, 5) * 90, 3.0).any()
