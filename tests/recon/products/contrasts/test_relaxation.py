"""R2* of exact exponentials is exact; noise, its floor and lost echoes do not bias it."""

import numpy as np
import pytest

from recon.lab.simulation.head import GREY_MATTER_LABEL, WHITE_MATTER_LABEL
from recon.products.contrasts.constants import CONTRAST
from recon.products.contrasts.relaxation import fit_r2star, r2star
from tests.support.small_result import small_result

TIMES_S = (0.004, 0.009, 0.015, 0.022, 0.030)
SHAPE = (7, 6, 5)


def _decay(rates, amplitude=1000.0, times_s=TIMES_S):
    return np.stack([amplitude * np.exp(-t * rates) for t in times_s]).astype(np.float32)


def test_exact_exponentials_are_recovered():
    rates = np.linspace(0.5, 300, 210).reshape(SHAPE)
    found = fit_r2star(_decay(rates), TIMES_S, np.ones(SHAPE, bool), noise=0.0)
    assert np.abs(found / rates - 1).max() < 1e-3


def test_the_scale_of_the_magnitude_does_not_matter():
    rates = np.linspace(5, 100, 210).reshape(SHAPE)
    rng = np.random.default_rng(2)
    noisy = np.abs(_decay(rates) + rng.normal(0, 10, (5, *SHAPE))).astype(np.float32)
    mask = np.ones(SHAPE, bool)
    small = fit_r2star(noisy, TIMES_S, mask, noise=10.0)
    large = fit_r2star(64 * noisy, TIMES_S, mask, noise=640.0)
    assert np.allclose(small, large, rtol=1e-3)


def test_two_echoes_suffice():
    rates = np.full(SHAPE, 40.0)
    found = fit_r2star(_decay(rates, times_s=TIMES_S[:2]), TIMES_S[:2], np.ones(SHAPE, bool), noise=0.0)
    assert np.allclose(found, 40, rtol=1e-4)


def test_the_noise_floor_does_not_flatten_a_fast_decay():
    shape = (20, 18, 16)
    rng = np.random.default_rng(3)
    clean = _decay(np.full(shape, 120.0), amplitude=200.0)
    noisy = np.abs(clean + rng.normal(0, 10, clean.shape) + 1j * rng.normal(0, 10, clean.shape)).astype(np.float32)
    mask = np.ones(shape, bool)
    found = fit_r2star(noisy, TIMES_S, mask, noise=10.0)
    ignorant = fit_r2star(noisy, TIMES_S, mask, noise=0.0)
    assert np.median(found) == pytest.approx(120, rel=0.05)
    assert np.median(ignorant) < 0.95 * 120


def test_where_one_echo_is_left_the_decay_is_fast_not_none():
    magnitude = np.full((5, *SHAPE), 5.0, np.float32)
    magnitude[0] = 400.0
    found = fit_r2star(magnitude, TIMES_S, np.ones(SHAPE, bool), noise=10.0)
    assert found.min() > 300
    assert found.max() <= CONTRAST.largest_r2star_per_s


def test_no_signal_and_outside_are_zero():
    mask = np.ones(SHAPE, bool)
    mask[:2] = False
    found = fit_r2star(_decay(np.full(SHAPE, 30.0), amplitude=10.0), TIMES_S, mask, noise=10.0)
    assert not found.any()
    found = fit_r2star(_decay(np.full(SHAPE, 30.0)), TIMES_S, mask, noise=1.0)
    assert not found[:2].any()
    assert (found[2:] > 0).all()


def test_a_simulated_head_is_right_within_3_percent():
    scan, result = small_result()
    made = r2star(scan.echoes, result)
    for label in (WHITE_MATTER_LABEL, GREY_MATTER_LABEL):
        assert made.volume[scan.label == label].mean() == pytest.approx(20.0, rel=0.03)


def test_the_macroscopic_field_is_named():
    scan, result = small_result()
    assert "macroscopic field gradients" in r2star(scan.echoes, result).warnings[0]
