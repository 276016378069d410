"""Errors are expected where they arise, in millimetres and not in voxels, and add up to those of the whole brain."""

import dataclasses
import hashlib

import numpy as np
import pytest

from recon.network.error_pattern import CLUES, ErrorPattern, error_clues, load_pattern, uncertainty_ppb
from recon.network.weights import load_weights
from recon.quality.expected_error import shipped_model
from recon.types import ExpectedError
from tests.support.small_result import small_result, small_result_of_known_error

PATTERN = ErrorPattern(
    weights_sha256="x",
    expected_error_sha256="y",
    slopes=dict.fromkeys(CLUES, 0.0) | {"noise": 1.0},
    factor=0.9,
    least=0.1,
    most=5.0,
    scans=3,
)


def clues_of(result, **changed):
    total = dataclasses.replace(result.total_field, **changed)
    return dict(zip(CLUES, error_clues(result.susceptibility.chi_ppm, total), strict=True))


def test_the_pattern_is_one_in_the_root_mean_square_of_the_mask():
    clues = np.zeros((len(CLUES), 4000), np.float32)
    clues[0] = np.random.default_rng(1).normal(0, 0.4, 4000)
    of_all = PATTERN.of(clues)
    assert np.sqrt(np.mean(of_all**2)) == pytest.approx(0.9, rel=1e-3)
    np.testing.assert_array_equal(PATTERN.of(clues[:, :50], clues), of_all[:50])
    assert np.argmax(of_all) == np.argmax(clues[0])


def test_the_pattern_has_a_least_and_a_largest_value():
    clues = np.zeros((len(CLUES), 1000), np.float32)
    clues[0, 0], clues[0, 1] = 9.0, -9.0
    assert PATTERN.of(clues, np.zeros((len(CLUES), 5), np.float32))[:2] == pytest.approx([0.9 * 5.0, 0.9 * 0.1])


def test_noise_in_one_place_is_a_clue_there_and_its_unit_is_none():
    _, result = small_result()
    total = result.total_field
    middle = tuple(n // 2 for n in total.mask.shape)
    noisy = total.noise_ppm.copy()
    noisy[tuple(slice(m - 2, m + 3) for m in middle)] *= 10
    noise = np.zeros(total.mask.shape)
    noise[total.mask] = clues_of(result, noise_ppm=noisy)["noise"]
    assert noise[middle] == noise[total.mask].max()
    doubled = clues_of(result, noise_ppm=2 * total.noise_ppm)["noise"]
    np.testing.assert_allclose(doubled, clues_of(result)["noise"], atol=1e-3)


def test_a_field_that_no_map_explains_is_a_clue_where_it_is():
    _, result = small_result()
    total = result.total_field
    middle = tuple(n // 2 for n in total.mask.shape)
    odd = total.field_ppm.copy()
    odd[middle] += 0.1
    before, after = clues_of(result)["unexplained"], clues_of(result, field_ppm=odd)["unexplained"]
    rise = np.zeros(total.mask.shape)
    rise[total.mask] = after - before
    assert np.unravel_index(np.argmax(rise), rise.shape) == pytest.approx(middle, abs=1)


def test_rim_and_doubt_are_distances_in_millimetres():
    _, result = small_result()
    total = result.total_field
    mask, middle = total.mask, tuple(n // 2 for n in total.mask.shape)
    reliable = mask.copy()
    reliable[middle] = False
    doubt, rim = np.zeros(mask.shape), np.zeros(mask.shape)
    clues = clues_of(result, reliable=reliable)
    doubt[mask], rim[mask] = clues["doubt"], clues["rim"]
    size_mm = total.grid.voxel_size_mm
    for axis in range(3):
        beside = tuple(m + 5 * (a == axis) for a, m in enumerate(middle))
        assert -4.0 * np.log(doubt[beside]) == pytest.approx(5 * size_mm[axis], abs=2.0)  # a cell's length
    assert doubt[middle] == 1
    assert rim[middle] < 0.2 < rim[mask].max()
    assert not clues_of(result, reliable=mask)["doubt"].any()


def test_the_uncertainty_is_that_of_the_brain_distributed():
    _, result = small_result_of_known_error()
    chi, total = result.susceptibility.chi_ppm, result.total_field
    made_by = result.provenance.weights_sha256
    sd_ppb = uncertainty_ppb(chi, total, result.expected_error, made_by)
    assert sd_ppb.dtype == np.float32
    assert not sd_ppb[~total.mask].any()
    assert np.sqrt(np.mean(sd_ppb[total.mask] ** 2)) == pytest.approx(20.0 * load_pattern().factor, rel=0.05)
    twice = ExpectedError(brain_ppb=40.0, bound_ppb=60.0, nuclei_ppb={})
    np.testing.assert_allclose(uncertainty_ppb(chi, total, twice, made_by), 2 * sd_ppb, rtol=1e-5)


def test_no_uncertainty_is_stated_of_a_failed_map_or_of_another_networks():
    _, result = small_result_of_known_error()
    chi, total = result.susceptibility.chi_ppm, result.total_field
    assert uncertainty_ppb(chi, total, None, result.provenance.weights_sha256) is None
    assert uncertainty_ppb(chi, total, result.expected_error, "of others") is None


def test_the_shipped_pattern_belongs_to_the_shipped_weights():
    pattern = load_pattern()
    assert pattern.weights_sha256 == load_weights().sha256
    assert pattern.expected_error_sha256 == hashlib.sha256(shipped_model().read_bytes()).hexdigest()
    assert set(pattern.slopes) == set(CLUES)
    assert pattern.least < 1 < pattern.most
