"""Each inversion on a sphere: the amplitude its paper promises, and what its data term is made for."""

import functools

import pytest
import torch

from recon.inversion.hd_qsm import hd_qsm
from recon.inversion.ismv import ismv
from recon.inversion.tfi import tfi
from recon.inversion.tgv import tgv
from recon.inversion.tikhonov import tikhonov
from recon.inversion.tkd import tkd
from tests.support.sphere import GRID, sphere_field

CHI_PPM = 0.2
NOISE = torch.full(GRID.shape, 0.001)
tv = functools.partial(hd_qsm, robust_iterations=0, most_iterations=100)


@pytest.fixture(scope="module")
def scene():
    return sphere_field(CHI_PPM)


def contrast(chi, scene):
    """Mean in the sphere over the mean of the rest of the mask."""
    return float(chi[scene.sphere].mean() - chi[scene.mask & (scene.chi_ppm == 0)].mean())


def spread(chi, scene):
    """Standard deviation where nothing is."""
    return float(chi[scene.mask & (scene.chi_ppm == 0)].std())


@pytest.mark.parametrize("threshold", [0.1, 0.2])
def test_tkd_keeps_the_amplitude_whatever_the_threshold(threshold, scene):
    made = tkd(scene.local_ppm, scene.mask, GRID, threshold=threshold)
    assert contrast(made, scene) == pytest.approx(CHI_PPM, rel=0.12)


def test_less_truncation_means_more_streaks(scene):
    noisy = scene.local_ppm + 0.003 * torch.randn(GRID.shape, generator=torch.Generator().manual_seed(1)) * scene.mask
    spreads = [spread(tkd(noisy, scene.mask, GRID, threshold=t), scene) for t in (0.02, 0.1, 0.2)]
    assert spreads == sorted(spreads, reverse=True)


def test_more_tikhonov_regularisation_means_less_amplitude(scene):
    found = [contrast(tikhonov(scene.local_ppm, GRID, weight), scene) for weight in (0.001, 0.01, 0.1)]
    assert CHI_PPM > found[0] > found[1] > found[2] > 0


@pytest.mark.parametrize("invert", [tv, hd_qsm])
def test_total_variation_restores_the_sphere_with_fewer_streaks_than_division(invert, scene):
    made = invert(scene.local_ppm, scene.mask, NOISE, GRID)
    assert contrast(made, scene) == pytest.approx(CHI_PPM, rel=0.1)
    assert spread(made, scene) < 0.5 * spread(tkd(scene.local_ppm, scene.mask, GRID), scene)


def test_stronger_total_variation_means_a_smoother_map(scene):
    noisy = scene.local_ppm + 0.003 * torch.randn(GRID.shape, generator=torch.Generator().manual_seed(1)) * scene.mask
    spreads = [spread(tv(noisy, scene.mask, NOISE, GRID, alpha=a), scene) for a in (3e-5, 3e-4, 3e-3)]
    assert spreads == sorted(spreads, reverse=True)


def test_noise_weights_keep_a_voxel_of_known_bad_field_from_streaking(scene):
    field, noise = scene.local_ppm.clone(), NOISE.clone()
    field[18:21, 24:27, 12:14] += 0.5
    told = noise.clone()
    told[18:21, 24:27, 12:14] = 1.0
    untold = tv(field, scene.mask, noise, GRID)
    assert spread(tv(field, scene.mask, told, GRID), scene) < 0.3 * spread(untold, scene)


def test_the_robust_stage_forgives_outliers_that_nobody_told_of(scene):
    field = scene.local_ppm.clone()
    field[18:21, 24:27, 12:14] += 0.5
    quadratic = hd_qsm(field, scene.mask, NOISE, GRID, robust_iterations=0, most_iterations=40)
    hybrid = hd_qsm(field, scene.mask, NOISE, GRID, robust_iterations=20, most_iterations=5)
    assert spread(hybrid, scene) < spread(quadratic, scene)


def test_iterative_means_take_the_background_away_and_keep_the_sphere(scene):
    kept = ismv(scene.local_ppm, scene.mask, GRID)
    left = ismv(scene.background_ppm, scene.mask, GRID)
    deep = kept != 0
    assert deep.sum() > 0.5 * scene.mask.sum()
    assert left[deep].std() < 0.02 * scene.background_ppm[deep].std()
    error = (kept - scene.local_ppm)[deep]
    assert error.std() < 0.5 * scene.local_ppm[deep].std()


def test_total_field_inversion_sees_through_the_background(scene):
    made = tfi(scene.local_ppm + scene.background_ppm, scene.mask, NOISE, GRID)
    assert 0.5 * CHI_PPM < contrast(made, scene) < 1.1 * CHI_PPM
    assert spread(made, scene) < 0.1 * CHI_PPM


def test_the_preconditioner_is_what_makes_it_converge(scene):
    """Liu 2017: with the same few iterations, a flat preconditioner leaves background in the map."""
    total = scene.local_ppm + scene.background_ppm
    errors = [
        float((tfi(total, scene.mask, NOISE, GRID, outside=p, most_iterations=15) - scene.chi_ppm)[scene.mask].std())
        for p in (1.0, 30.0)
    ]
    assert errors[1] < 0.7 * errors[0]


def test_generalised_variation_needs_no_background_removal(scene):
    """Langkammer 2015: the Laplacian takes a background field away, so the map hardly depends on it."""
    alone = tgv(scene.local_ppm, scene.mask, GRID, most_iterations=100)
    both = tgv(scene.local_ppm + scene.background_ppm, scene.mask, GRID, most_iterations=100)
    assert 0.6 * CHI_PPM < contrast(both, scene) < 1.1 * CHI_PPM
    assert (both - alone)[scene.mask].std() < 0.05 * CHI_PPM
