"""The digital head: repeatable, separate by purpose, physically what it says."""

import dataclasses
import math

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.lab.simulation.draw.cases import CASES, draw_case
from recon.lab.simulation.draw.effect_plans import NO_EFFECTS
from recon.lab.simulation.draw.plan import SubjectPlan
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.head import LESION_LABEL, NUCLEUS_LABEL
from recon.lab.simulation.lattice import head_to_template, template_to_head
from recon.lab.simulation.scan import simulate_case, simulate_scan
from recon.types import GAMMA_HZ_PER_TESLA


@pytest.fixture(scope="module")
def lesion():
    return simulate_case("lesion", 3, voxel_size_mm=3.0)


def test_equal_seeds_give_equal_heads_and_purposes_never_meet():
    first = draw_case("healthy", generator(Purpose.EVALUATION, 5))
    again = draw_case("healthy", generator(Purpose.EVALUATION, 5))
    other = draw_case("healthy", generator(Purpose.TRAINING, 5))
    np.testing.assert_array_equal(first.head.warp_mm, again.head.warp_mm)
    assert not np.allclose(first.head.warp_mm, other.head.warp_mm)


def test_a_plan_applied_twice_gives_the_same_scan(lesion):
    again = simulate_case("lesion", 3, voxel_size_mm=3.0)
    np.testing.assert_array_equal(again.echoes.phase_rad, lesion.echoes.phase_rad)
    np.testing.assert_array_equal(again.chi_ppm, lesion.chi_ppm)


def test_the_brain_has_the_size_of_a_brain(lesion):
    volume_ml = lesion.brain.sum() * lesion.echoes.grid.voxel_volume_mm3 / 1e3
    assert 1000 < volume_ml < 2100


def test_deep_grey_is_paramagnetic_and_lesions_are_there(lesion):
    pallidum = lesion.chi_ppm[lesion.label == NUCLEUS_LABEL["pallidum"]]
    assert pallidum.mean() > 0.05
    assert (lesion.label == LESION_LABEL["haemorrhage"]).any()


def test_phase_grows_with_field_and_echo_time():
    subject = draw_case("healthy", generator(Purpose.EVALUATION, 1), voxel_size_mm=3.0)
    clean = dataclasses.replace(
        subject.scan, snr=math.inf, offset_rad=(0.0,) * 5, oversample=(1, 1, 1), echo_times_s=(0.004, 0.009)
    )
    scan = simulate_scan(SubjectPlan(head=subject.head, scan=clean))
    turns = GAMMA_HZ_PER_TESLA * 3.0 * 1e-6 * np.array(clean.echo_times_s)
    expected = np.angle(np.exp(2j * np.pi * turns[:, None] * scan.field_ppm[scan.brain][None]))
    measured = scan.echoes.phase_rad[:, scan.brain]
    assert np.abs(np.angle(np.exp(1j * (measured - expected)))).max() < 1e-3


def test_signal_decays_and_bleeds_go_dark(lesion):
    magnitude = lesion.echoes.magnitude
    assert magnitude[-1][lesion.brain].mean() < magnitude[0][lesion.brain].mean()
    bleed = (lesion.label == LESION_LABEL["haemorrhage"]) & (lesion.chi_ppm > 0.15)
    assert magnitude[-1][bleed].mean() < 0.8 * magnitude[-1][lesion.brain].mean()


def test_the_template_map_is_inverted_by_its_inverse():
    import torch

    head = draw_case("healthy", generator(Purpose.EVALUATION, 2)).head
    points = np.random.default_rng(0).uniform(-60, 60, (50, 3))
    back = head_to_template(head, torch.tensor(template_to_head(head, points), dtype=torch.float32))
    np.testing.assert_allclose(back.numpy(), points, atol=0.05)


def test_oblique_case_is_oblique_and_anisotropic():
    scan = draw_case("oblique", generator(Purpose.EVALUATION, 2)).scan
    assert abs(scan.b0_direction[1]) > 0.2
    assert scan.voxel_size_mm[2] > 1.5 * scan.voxel_size_mm[0]


def test_unknown_cases_are_named_with_the_known_ones():
    with pytest.raises(InvalidInputError, match="healthy"):
        draw_case("imaginary", generator(Purpose.EVALUATION, 0))


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_case_draws(name):
    assert draw_case(name, generator(Purpose.EVALUATION, 0), voxel_size_mm=4.0).scan.shape


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_hard_case_is_the_same_head_and_scan_with_effects(name):
    easy, hard = (draw_case(case, generator(Purpose.EVALUATION, 0)) for case in (name, f"{name}-hard"))
    np.testing.assert_array_equal(easy.head.warp_mm, hard.head.warp_mm)
    assert easy.scan.effects == NO_EFFECTS
    assert hard.scan.effects != NO_EFFECTS
    assert (hard.scan.shape, hard.scan.noise_seed) == (easy.scan.shape, easy.scan.noise_seed)
    assert (hard.scan.effects.coils is None) == (hard.scan.offset_rad == easy.scan.offset_rad)


def test_effects_disturb_the_echoes_and_not_the_truth(lesion):
    hard = simulate_case("lesion-hard", 3, voxel_size_mm=3.0)
    np.testing.assert_array_equal(hard.chi_ppm, lesion.chi_ppm)
    inside = lesion.brain
    assert np.corrcoef(hard.echoes.magnitude[0][inside], lesion.echoes.magnitude[0][inside])[0, 1] > 0.3
    turned = np.angle(np.exp(1j * (hard.echoes.phase_rad - lesion.echoes.phase_rad)))[:, inside]
    assert turned.std() > 0.3
    assert np.isfinite(hard.echoes.magnitude).all()
