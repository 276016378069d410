"""What training volumes are made of: the phase step's field of hard echoes, or a known field with a few errors."""

import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.lab.simulation.draw.cases import draw_case
from recon.lab.simulation.draw.effect_plans import NO_EFFECTS, EffectsPlan, SlicesPlan
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.template import load_template
from recon.lab.training.sample import _turned_islands, simulate_volume


def volume_of(subject):
    return simulate_volume(subject, generator(Purpose.TUNING, 5), load_template())


@pytest.fixture(scope="module")
def hard():
    case = draw_case("lesion-hard", generator(Purpose.TUNING, 31), voxel_size_mm=7.0)
    return replace(case, scan=replace(case.scan, oversample=(2, 2, 3)))


@pytest.fixture(scope="module")
def volume(hard):
    return volume_of(hard)


@pytest.fixture(scope="module")
def plain(hard):
    return volume_of(replace(hard, scan=replace(hard.scan, effects=NO_EFFECTS)))


def test_a_volume_with_effects_is_finite_and_has_reliable_voxels(volume):
    assert all(bool(torch.isfinite(part).all()) for part in (volume.features, volume.target, volume.measured.noise_ppm))
    assert float(volume.measured.reliable[volume.weight].float().mean()) > 0.8
    assert abs(float(volume.target[volume.weight].mean())) < 1e-4
    assert not bool((volume.weight & ~volume.measured.mask).any())


def test_a_volume_with_effects_is_the_same_to_the_bit_each_time(hard, volume):
    again = volume_of(hard)
    torch.testing.assert_close(again.features, volume.features, rtol=0, atol=0)
    torch.testing.assert_close(again.target, volume.target, rtol=0, atol=0)


def test_the_field_of_a_scan_with_effects_comes_from_the_phase_step_and_the_truth_stays(plain, volume):
    both = plain.weight & volume.weight
    shift = (volume.target - plain.target)[both]
    torch.testing.assert_close(shift - shift.mean(), torch.zeros_like(shift), rtol=0, atol=1e-4)
    assert not torch.equal(plain.measured.noise_ppm[both], volume.measured.noise_ppm[both])


def test_a_head_whose_echoes_the_phase_step_rejects_gets_the_known_field(hard, plain, caplog):
    slices = SlicesPlan(jitter_rad=0.0, growth_rad=math.pi)
    flipped = replace(hard.scan, effects=EffectsPlan(two_dimensional=True, slices=slices))
    with caplog.at_level(logging.INFO):
        rejected = volume_of(replace(hard, scan=flipped))
    assert "the phase step rejects a head: phase jumps by about π" in caplog.text
    torch.testing.assert_close(rejected.features, plain.features, rtol=0, atol=0)


def test_islands_inside_a_bleed_are_turned_whole_and_the_brain_never():
    noise = torch.full((20, 24, 28), 0.002)
    noise[4:10, 4:10, 4:10] = 1.0
    noise[6:8, 6:8, 6:8] = 0.002
    noise[15, 15, 15] = 1.0
    found = set()
    for seed in range(40):
        turns = _turned_islands(np.random.default_rng(seed), noise)
        island = turns[6:8, 6:8, 6:8]
        assert len(island.unique()) == 1
        assert turns.abs().sum() == island.abs().sum()
        found.add(float(island[0, 0, 0]))
    assert found == {-1.0, 0.0, 1.0}
