"""Rigid motion: turned and shifted where it should be, without loss; lines before the move stay."""

import math

import pytest
import torch

from recon.lab.simulation.draw.effect_plans import MotionPlan, PosePlan
from recon.lab.simulation.effects.lines import line_times, to_lines
from recon.lab.simulation.effects.motion import moved, posed

SHAPE, SPACING = (30, 25, 20), (1.0, 1.2, 1.6)


def blob(centre_mm, width_mm=3.0):
    axes = [(torch.arange(n) - (n - 1) / 2) * s for n, s in zip(SHAPE, SPACING, strict=True)]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    squared = (x - centre_mm[0]) ** 2 + (y - centre_mm[1]) ** 2 + (z - centre_mm[2]) ** 2
    return torch.exp(-squared / (2 * width_mm**2)).to(torch.complex64)


def test_a_pose_shifts_by_mm():
    got = posed(blob((0, 1, -2)), PosePlan(shift_mm=(1.5, -0.7, 2.2), rotation_deg=(0, 0, 0)), SPACING)
    torch.testing.assert_close(got, blob((1.5, 0.3, 0.2)), rtol=0, atol=0.01)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_pose_turns_about_an_axis_by_the_right_hand(axis):
    angle = 20.0
    place = [2.0, 5.0, 4.0]
    first, second = (axis + 1) % 3, (axis + 2) % 3
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turned = list(place)
    turned[first], turned[second] = c * place[first] - s * place[second], s * place[first] + c * place[second]
    rotation = tuple(angle if a == axis else 0.0 for a in range(3))
    got = posed(blob(place), PosePlan(shift_mm=(0, 0, 0), rotation_deg=rotation), SPACING)
    torch.testing.assert_close(got, blob(turned), rtol=0, atol=0.03)


def test_a_pose_keeps_the_power():
    image = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(7), dtype=torch.complex64)
    got = posed(image, PosePlan(shift_mm=(0.3, 1.1, -0.4), rotation_deg=(1.0, -2.0, 0.5)), SPACING)
    assert float((got.abs() ** 2).sum()) == pytest.approx(float((image.abs() ** 2).sum()), rel=1e-4)


def test_lines_before_the_move_stay_and_later_ones_are_those_of_the_new_pose():
    image = blob((1, -2, 3))[None]
    pose = PosePlan(shift_mm=(1.0, 0.0, 2.0), rotation_deg=(0.0, 1.0, 0.0))
    shares = line_times(SHAPE, False)
    lines = to_lines(moved(image, MotionPlan(poses=(pose,), starts=(0.6,)), SPACING, shares, False), False)
    old, new = to_lines(image, False), to_lines(posed(image, pose, SPACING), False)
    early = shares < 0.6
    torch.testing.assert_close(lines[..., early], old[..., early], rtol=0, atol=1e-3)
    torch.testing.assert_close(lines[..., ~early], new[..., ~early], rtol=0, atol=1e-3)


def test_no_pose_or_a_pose_in_place_changes_nothing():
    image = blob((1, -2, 3))[None]
    still = PosePlan(shift_mm=(0, 0, 0), rotation_deg=(0, 0, 0))
    for plan in (MotionPlan(poses=(), starts=()), MotionPlan(poses=(still,), starts=(0.4,))):
        torch.testing.assert_close(moved(image, plan, SPACING, line_times(SHAPE, True), True), image)
