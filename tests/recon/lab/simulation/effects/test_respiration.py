"""Breathing ghosts the image and drift shifts its phase; without amplitude neither does anything."""

import math

import pytest
import torch

from recon.lab.simulation.draw.effect_plans import DriftPlan, RespirationPlan
from recon.lab.simulation.effects.lines import line_times, to_lines
from recon.lab.simulation.effects.respiration import breathed, chest_profile, drifted

SHAPE, TIMES = (6, 16, 10), (0.006, 0.021)


@pytest.fixture
def echoes():
    generator = torch.Generator().manual_seed(4)
    return torch.randn(2, *SHAPE, generator=generator, dtype=torch.complex64)


def test_the_fluctuation_grows_towards_the_neck():
    profile = chest_profile(torch.tensor([80.0, 0.0, -60.0, -500.0]))
    assert float(profile[1]) == 1.0
    assert (profile.diff() > 0).all()


@pytest.mark.parametrize("two_dimensional", [False, True])
def test_a_breath_without_amplitude_changes_nothing(echoes, two_dimensional):
    seconds = line_times(SHAPE, two_dimensional) * 5
    still = breathed(echoes, RespirationPlan(hz_at_3t=0.0), torch.ones(SHAPE), seconds, TIMES, 3.0, two_dimensional)
    torch.testing.assert_close(still, echoes)


def test_a_uniform_fluctuation_turns_each_line_by_its_own_angle(echoes):
    plan = RespirationPlan(hz_at_3t=3.0, breaths_hz=0.3, phase_rad=0.4)
    seconds = line_times(SHAPE, False) * 10
    got = to_lines(breathed(echoes, plan, torch.ones(SHAPE), seconds, TIMES, 7.0, False), False)
    for number, time in enumerate(TIMES):
        angle = 2 * math.pi * 7.0 * time * torch.sin(2 * math.pi * 0.3 * seconds + 0.4)
        expected = to_lines(echoes[number], False) * torch.polar(torch.ones_like(angle), angle)
        error = (got[number] - expected).abs().max() / expected.abs().max()
        assert float(error) < 0.04


def test_drift_keeps_the_power_and_grows_with_the_echo_time(echoes):
    plan = DriftPlan(hz=4.0, eddy_rad=0.0)
    got = drifted(echoes, plan, line_times(SHAPE, False), TIMES, False)
    torch.testing.assert_close((got.abs() ** 2).sum((1, 2, 3)), (echoes.abs() ** 2).sum((1, 2, 3)))
    lines = to_lines(got, False) * to_lines(echoes, False).conj()
    spread = [float(lines[i, :, -1, -1].sum().angle() - lines[i, :, 0, 0].sum().angle()) for i in range(2)]
    assert spread[1] / spread[0] == pytest.approx(TIMES[1] / TIMES[0], rel=1e-3)


def test_eddy_currents_turn_each_echo_by_a_constant(echoes):
    got = drifted(echoes, DriftPlan(hz=0.0, eddy_rad=0.3, eddy_echoes=1.5), line_times(SHAPE, True), TIMES, True)
    for number in range(2):
        angle = (got[number] * echoes[number].conj()).angle()
        torch.testing.assert_close(angle, torch.full(SHAPE, 0.3 * math.exp(-number / 1.5)), rtol=1e-3, atol=1e-4)
