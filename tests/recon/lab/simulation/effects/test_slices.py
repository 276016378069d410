"""Phases of slices and slabs."""

import math

import pytest
import torch

from recon.lab.simulation.draw.effect_plans import SlabsPlan, SlicesPlan
from recon.lab.simulation.effects.slices import slab_phase_rad, slice_phase_rad


def test_slices_have_a_step_each_and_a_random_part():
    grown = slice_phase_rad(SlicesPlan(jitter_rad=0.0, growth_rad=0.2), 7)
    torch.testing.assert_close(grown, 0.2 * torch.arange(7))
    jitter = slice_phase_rad(SlicesPlan(jitter_rad=0.4, growth_rad=0.0, seed=3), 400)
    assert float(jitter.std()) == pytest.approx(0.4, rel=0.1)
    assert not slice_phase_rad(SlicesPlan(jitter_rad=0.0, growth_rad=0.0), 7).any()


def test_slabs_are_of_equal_thickness_and_their_field_step_grows_with_the_echo_time():
    plan = SlabsPlan(phase_rad=(0.0, 0.5, -0.2), step_hz=(0.0, 2.0, 1.0))
    phase = slab_phase_rad(plan, 9, 0.010)
    expected = [0.0, 0.5 + 2 * math.pi * 0.02, -0.2 + 2 * math.pi * 0.01]
    torch.testing.assert_close(phase, torch.tensor(expected).repeat_interleave(3))
    assert len(slab_phase_rad(plan, 10, 0.010)) == 10
