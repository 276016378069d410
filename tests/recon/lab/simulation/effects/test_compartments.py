"""Hollow cylinders: frequencies at the limits of direction, and a phase that is not linear in time."""

import math

import pytest
import torch

from recon.lab.simulation.draw.effect_plans import CompartmentsPlan
from recon.lab.simulation.effects.compartments import axon_ppm, compartment_factor, myelin_ppm

PLAN = CompartmentsPlan()
ALONG, ACROSS = torch.zeros(1), torch.ones(1)


def test_fibres_along_b0_have_the_frequency_of_their_myelin_alone():
    assert float(axon_ppm(PLAN, ALONG)) == 0.0
    # Isotropic: an infinite cylinder along B0; anisotropic: the tangential and axial susceptibility, -χA/2.
    expected = PLAN.chi_isotropic_ppm / 3 - PLAN.chi_anisotropic_ppm / 6 + PLAN.exchange_ppm
    assert float(myelin_ppm(PLAN, ALONG)) == pytest.approx(expected)


def test_axons_across_b0_are_slower_by_the_anisotropy_of_their_sheath():
    assert float(axon_ppm(PLAN, ACROSS)) == pytest.approx(0.75 * -0.1 * math.log(1.25))
    hz_at_7t = float(axon_ppm(PLAN, ACROSS)) * 42.577478 * 7
    assert -6 < hz_at_7t < -4  # Wharton & Bowtell 2012, figure 2


@pytest.mark.parametrize(("share", "time"), [(0.0, 0.02), (1.0, 0.0)])
def test_nothing_happens_outside_white_matter_or_at_echo_time_zero(share, time):
    sine = torch.rand(3, 4, 5)
    factor = compartment_factor(PLAN, sine, torch.full((3, 4, 5), share), time, 3.0)
    torch.testing.assert_close(factor, torch.ones_like(factor))


def test_the_frequency_changes_with_echo_time_and_direction():
    sine, white = torch.tensor([0.0, 1.0]), torch.ones(2)
    times = (0.004, 0.012, 0.024, 0.036)
    hz = [compartment_factor(PLAN, sine, white, t, 3.0).angle() / (2 * math.pi * t) for t in times]
    across = [float(f[1]) for f in hz]
    assert len({round(f, 2) for f in across}) == len(times)
    assert max(abs(f) for f in across) < 5
    assert abs(float(hz[-1][0] - hz[-1][1])) > 0.3


def test_myelin_water_decays_first():
    left = [abs(complex(compartment_factor(PLAN, ALONG, ACROSS, t, 3.0)[0])) for t in (0.0, 0.01, 0.06)]
    assert left[0] == pytest.approx(1.0)
    assert left[2] == pytest.approx(1 - PLAN.myelin, abs=0.01)
    assert left[0] > left[1] > left[2]
