import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.field.unwrap.edge_weights import edge_costs, quality_map
from recon.field.unwrap.romeo import unwrap
from recon.types import GAMMA_HZ_PER_TESLA
from tests.support.phase_phantoms import OBLIQUE, acquire, ball, smooth_field_ppm

TURN = 2 * np.pi
seeds = st.integers(0, 2**32 - 1)


def true_phase(time_s, strength=1.0):
    return (TURN * GAMMA_HZ_PER_TESLA * 3e-6 * time_s * smooth_field_ppm(strength=strength)).astype(np.float32)


def noisy(phase, seed, sd=0.1):
    rng = np.random.default_rng(seed)
    return np.angle(np.exp(1j * (phase + sd * rng.standard_normal(phase.shape)))).astype(np.float32)


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_pure_noise_changes_by_multiples_of_two_pi_only(seed):
    rng = np.random.default_rng(seed)
    phase = rng.uniform(-np.pi, np.pi, (9, 12, 7)).astype(np.float32)
    mask = rng.random(phase.shape) < rng.uniform(0.2, 1.0)
    out = unwrap(phase, mask, magnitude=rng.random(phase.shape, np.float32))
    turns = (out.phase_rad - phase) / TURN
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-4)
    np.testing.assert_array_equal(out.phase_rad[~mask], phase[~mask])
    assert np.all((out.quality >= 0) & (out.quality <= 1))
    assert np.all(out.quality[~mask] == 0)


@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_a_smooth_field_is_recovered_under_noise(seed):
    truth, mask = true_phase(0.020), ball()
    assert np.ptp(truth[mask]) > 2 * TURN
    error = unwrap(noisy(truth, seed), mask).phase_rad - truth
    turns = np.rint((error - np.median(error[mask])) / TURN)[mask]
    assert np.count_nonzero(turns) == 0


@given(seed=seeds, axes=st.permutations(range(3)), flips=st.tuples(*[st.booleans()] * 3))
@settings(max_examples=10, deadline=None)
def test_flips_and_axis_orders_change_nothing(seed, axes, flips):
    wrapped, mask = noisy(true_phase(0.015), seed), ball()

    def turned(volume):
        return np.ascontiguousarray(np.flip(volume.transpose(axes), [a for a in range(3) if flips[a]]))

    there = unwrap(turned(wrapped), turned(mask))
    np.testing.assert_allclose(there.phase_rad, turned(unwrap(wrapped, mask).phase_rad), atol=1e-4)
    np.testing.assert_allclose(there.quality, turned(unwrap(wrapped, mask).quality), atol=1e-2)


def test_unwrapping_what_is_unwrapped_changes_nothing():
    once = unwrap(noisy(true_phase(0.015), 1), ball()).phase_rad
    np.testing.assert_allclose(unwrap(once, ball()).phase_rad, once, atol=1e-4)


def test_islands_and_an_empty_mask_are_survived():
    truth = true_phase(0.010)
    mask = ball()
    mask[17:20] = False
    out = unwrap(noisy(truth, 2), mask).phase_rad
    for part in (np.s_[:17], np.s_[20:]):
        error = (out - truth)[part][mask[part]]
        assert np.count_nonzero(np.rint((error - np.median(error)) / TURN)) == 0
    nothing = np.zeros_like(mask)
    np.testing.assert_array_equal(unwrap(truth, nothing).phase_rad, truth)


def test_regions_meet_by_a_vote_of_their_border():
    """Two calm halves joined by a poor plane with a few deceptively good edges."""
    truth = np.zeros((20, 18, 14), np.float32)
    truth[10:] = 2.0
    wrapped = truth.copy()
    wrapped[9, :3, :3] = 0.0
    mask = np.ones(truth.shape, bool)
    out = unwrap(np.angle(np.exp(1j * (wrapped + 2.5))).astype(np.float32), mask).phase_rad
    step = out[12, 9, 7] - out[6, 9, 7]
    assert step == pytest.approx(2.0, abs=1e-3)


def test_costs_rise_with_noise_and_stop_at_the_mask():
    mask = ball()
    calm = edge_costs(noisy(true_phase(0.005), 0, 0.02), mask)
    rough = edge_costs(noisy(true_phase(0.005), 0, 0.8), mask)
    assert calm[calm > 0].mean() < rough[rough > 0].mean()
    inside_x = mask.copy()
    inside_x[:-1] &= mask[1:]
    inside_x[-1] = False
    np.testing.assert_array_equal(calm[:, 0].reshape(mask.shape) > 0, inside_x)


def test_quality_tells_a_noisy_corner_from_a_calm_one():
    phase = true_phase(0.005)
    phase[:18] = noisy(phase, 0, 2.0)[:18]
    mask = ball()
    quality = quality_map(edge_costs(phase, mask), OBLIQUE.shape)
    assert quality[:16][mask[:16]].mean() < 0.6 * quality[20:][mask[20:]].mean()


def test_a_second_echo_lowers_the_quality_where_it_contradicts():
    echoes = acquire(noise=0.01)
    mask = ball()
    agreeing = {"magnitude": echoes.magnitude[0], "time_ratio": 0.4}
    good = unwrap(echoes.phase_rad[0], mask, second_phase_rad=echoes.phase_rad[1], **agreeing).quality
    noise = np.random.default_rng(0).uniform(-3, 3, mask.shape).astype(np.float32)
    bad = unwrap(echoes.phase_rad[0], mask, second_phase_rad=noise, **agreeing).quality
    assert bad[mask].mean() < good[mask].mean() - 0.1
