"""Loops obey Maxwell's equations and the Biot-Savart law; combinations have the phase that they promise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.lab.simulation.draw.effect_plans import LoopPlan
from recon.lab.simulation.draw.effects import only
from recon.lab.simulation.draw.plan import BRAIN_CENTRE_MM
from recon.lab.simulation.effects.coils import combined, interpolated, loop_field_per_mm, receive_field, sensitivities

LOOP = LoopPlan(centre_mm=(10.0, -90.0, 20.0), normal=(0.3, -0.9, 0.2), radius_mm=42.0, phase_rad=0.0)
B0 = (0.36, 0.48, 0.8)
AXES = [np.linspace(-75, 75, 14), np.linspace(-90, 80, 17), np.linspace(-60, 80, 12)]


def places(axes):
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1)


def biot_savart(points, loop, pieces=4000):
    normal = np.asarray(loop.normal) / np.linalg.norm(loop.normal)
    first = np.cross(normal, [1.0, 0.0, 0.0])
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    angle = 2 * np.pi * (np.arange(pieces) + 0.5) / pieces
    around = np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second
    along = (-np.sin(angle)[:, None] * first + np.cos(angle)[:, None] * second) * (2 * np.pi * loop.radius_mm / pieces)
    offset = points[:, None] - (np.asarray(loop.centre_mm) + loop.radius_mm * around)
    return (np.cross(along, offset) / np.linalg.norm(offset, axis=-1, keepdims=True) ** 3).sum(1) / (4 * np.pi)


def test_the_field_of_a_loop_is_that_of_biot_and_savart():
    rng = np.random.default_rng(3)
    points = rng.uniform(-60, 60, (12, 3))
    np.testing.assert_allclose(loop_field_per_mm(points, LOOP), biot_savart(points, LOOP), rtol=2e-5, atol=1e-9)


def test_the_field_on_the_axis_has_its_closed_form():
    normal = np.asarray(LOOP.normal) / np.linalg.norm(LOOP.normal)
    height = np.array([-80.0, -20.0, 0.0, 35.0])
    field = loop_field_per_mm(np.asarray(LOOP.centre_mm) + height[:, None] * normal, LOOP)
    expected = LOOP.radius_mm**2 / (2 * (LOOP.radius_mm**2 + height**2) ** 1.5)
    np.testing.assert_allclose(field @ normal, expected, rtol=1e-5)
    np.testing.assert_allclose(field, (field @ normal)[:, None] * normal, atol=1e-5 * expected.max())


def test_the_field_has_neither_divergence_nor_curl_away_from_the_wire():
    step = 0.05
    points = np.random.default_rng(5).uniform(-50, 50, (20, 3))
    slope = np.stack(
        [
            (loop_field_per_mm(points + step * e, LOOP) - loop_field_per_mm(points - step * e, LOOP)) / (2 * step)
            for e in np.eye(3)
        ],
        axis=1,
    )  # (point, derivative, component)
    size = np.linalg.norm(slope, axis=(1, 2))
    assert np.abs(np.trace(slope, axis1=1, axis2=2)).max() < 1e-4 * size.max()
    assert np.abs(slope - slope.transpose(0, 2, 1)).max() < 1e-4 * size.max()


def test_a_loop_receives_only_the_part_across_b0():
    rng = np.random.default_rng(6)
    points = rng.uniform(-60, 60, (9, 3))
    field = loop_field_per_mm(points, LOOP)
    across = field - (field @ np.asarray(B0))[:, None] * np.asarray(B0)
    received = sensitivities(points, (LOOP,), B0)[0]
    np.testing.assert_allclose(np.abs(received), np.linalg.norm(across, axis=1), rtol=1e-9)


def test_aligned_coils_have_zero_phase_at_the_point_of_alignment():
    loops = tuple(replace(loop, misalignment_rad=0.0) for loop in only("coils").coils.loops)
    plan = replace(only("coils").coils, loops=loops)
    at = sensitivities(np.asarray(plan.reference_mm), plan.loops, B0)
    field = combined(at[:, None, None, None], at, plan, np.ones((1, 1, 1), bool))
    assert abs(np.angle(field[0, 0, 0])) < 1e-9


@pytest.mark.parametrize("combination", ["aligned", "adaptive", "body_coil"])
def test_the_phase_of_a_combination_is_smooth_away_from_its_nulls(combination):
    plan = replace(only("coils").coils, combination=combination)
    points = places(AXES)
    coils = sensitivities(points, plan.loops, B0)
    at = sensitivities(np.asarray(plan.reference_mm), plan.loops, B0)
    field = combined(coils, at, plan, np.linalg.norm(points, axis=-1) < 70)
    share = np.abs(field) / np.abs(field).max()
    inside = (np.linalg.norm(points, axis=-1) < 75) & (share > 0.15 * np.median(share))
    for axis in range(3):
        step = np.abs(np.angle(field * np.roll(field, 1, axis).conj()))
        both = inside & np.roll(inside, 1, axis)
        assert np.quantile(step[both], 0.99) < 1.0


def test_a_flipped_coil_moves_the_phase_and_keeps_the_magnitude():
    plan = only("coils").coils
    head = (np.diag([-1.0, -1.0, 1.0]), np.array([0.0, -18.0, 3.0]))
    right = receive_field(plan, AXES, AXES, head, B0, torch.device("cpu"))
    wrong = receive_field(replace(plan, flipped=2), AXES, AXES, head, B0, torch.device("cpu"))
    torch.testing.assert_close(right.abs(), wrong.abs(), rtol=1e-4, atol=1e-5)
    assert (right * wrong.conj()).angle().abs().max() > 0.3


def test_the_receive_magnitude_is_one_on_average_and_least_in_the_middle():
    plan = only("coils").coils
    head = (np.eye(3), np.array(BRAIN_CENTRE_MM))
    magnitude = receive_field(plan, AXES, AXES, head, B0, torch.device("cpu")).abs().numpy()
    distance = np.linalg.norm(places(AXES), axis=-1)
    assert magnitude[distance < 70].mean() == pytest.approx(1.0, abs=1e-3)
    assert magnitude[distance < 20].mean() < 0.7 * magnitude[(distance > 55) & (distance < 70)].mean()


def test_splines_interpolate_complex_cubics_exactly():
    fine = [np.linspace(a[0], a[-1], n) for a, n in zip(AXES, (19, 23, 15), strict=True)]

    def cubic(axes):
        x, y, z = np.moveaxis(places(axes) / 50, -1, 0)
        return x**3 - 2j * y**2 * z + (1 + 1j) * x * y

    got = interpolated(cubic(AXES), AXES, fine, torch.device("cpu")).numpy()
    np.testing.assert_allclose(got, cubic(fine), atol=2e-5 * np.abs(cubic(fine)).max())
