"""Flow: parabolic in the vessel, nothing outside it, and a phase that grows as the first moment does."""

import math
from dataclasses import replace

import numpy as np
import pytest

from recon.lab.simulation.draw.effect_plans import FlowPlan
from recon.lab.simulation.effects.flow import centre_line, encoded_speed, rad_per_cm_per_s, velocity_map

AXES = [np.arange(14) * 0.8 - 5.2, np.arange(11) * 1.0 - 5.0, np.arange(9) * 1.5 - 6.0]


def test_a_centre_line_keeps_its_corners_and_its_length():
    corners = np.array([(0, 0, 0), (3, 4, 0), (3, 4, 10)], float)
    points = centre_line(corners)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert steps.max() <= 0.5 + 1e-9
    np.testing.assert_allclose(points[[0, -1]], corners[[0, -1]])
    assert steps.sum() == pytest.approx(15.0, rel=0.02)


def test_only_the_component_along_the_gradient_is_encoded():
    points = centre_line(np.array([(0, 0, 0), (10, 10, 0)], float))
    np.testing.assert_allclose(encoded_speed(points, 20.0, (1.0, 0.0, 0.0)), 20 / math.sqrt(2))
    np.testing.assert_allclose(encoded_speed(points, 20.0, (0.0, 0.0, 1.0)), 0.0, atol=1e-12)


def test_velocity_is_parabolic_inside_and_zero_outside():
    points = centre_line(np.array([(-20, 0.3, -0.4), (20, 0.3, -0.4)], float))
    velocity = velocity_map(AXES, points, np.full(len(points), 30.0), np.full(len(points), 3.0))
    _, y, z = np.meshgrid(*AXES, indexing="ij")
    distance = np.hypot(y - 0.3, z + 0.4)
    expected = 30.0 * np.clip(1 - (distance / 3.0) ** 2, 0, None)
    np.testing.assert_allclose(velocity, expected, atol=0.3)


def test_without_vessels_nothing_moves():
    assert not velocity_map(AXES, np.zeros((0, 3)), np.zeros(0), np.zeros(0)).any()


@pytest.mark.parametrize("power", [1, 2])
def test_the_phase_grows_with_a_power_of_the_echo_time(power):
    plan = replace(FlowPlan(venc_cm_per_s=40.0), power=power)
    assert 40.0 * rad_per_cm_per_s(plan, 0.010) == pytest.approx(math.pi)
    assert rad_per_cm_per_s(plan, 0.020) == pytest.approx(2**power * rad_per_cm_per_s(plan, 0.010))
