"""Errors of a field: what counts as one, where they are, and whether the noise estimate admits them."""

import math

import numpy as np
import pytest
from scipy import ndimage

from recon.lab.evaluation.field_errors import errors_ppm, field_errors, part_errors, within_two_noise_percent
from recon.lab.simulation.head import LESION_LABEL

SHAPE = (36, 30, 22)
INNER = np.zeros(SHAPE, dtype=bool)
INNER[5:-5, 5:-5, 4:-4] = True


def test_a_constant_is_no_error_and_a_wrap_is_one():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 0.01, SHAPE).astype(np.float32)
    made = truth + 0.4
    made[8, 9, 10] += 0.52
    errors = field_errors(errors_ppm(made, truth, INNER, 0.5), 0.5)
    count = INNER.sum()
    assert errors.wrap_errors_percent == pytest.approx(100 / count)
    assert errors.rms_ppb == pytest.approx(520 / math.sqrt(count), rel=1e-3)
    assert errors.p99_ppb == pytest.approx(0, abs=1e-3)


def test_a_polynomial_is_removed_only_where_asked_for():
    truth = np.zeros(SHAPE, dtype=np.float32)
    x = np.linspace(-1, 1, SHAPE[0], dtype=np.float32)[:, None, None]
    made = truth + 0.1 * x**2 - 0.05 * x
    assert field_errors(errors_ppm(made, truth, INNER, 0.5, order=2), 0.5).rms_ppb == pytest.approx(0, abs=1e-3)
    assert field_errors(errors_ppm(made, truth, INNER, 0.5), 0.5).rms_ppb > 10


def test_the_robust_error_is_the_standard_deviation_of_normal_errors_and_ignores_few_large_ones():
    error = np.random.default_rng(1).normal(0, 0.004, 100_000)
    error[:200] = 0.3
    errors = field_errors(error, 0.5)
    assert errors.robust_ppb == pytest.approx(4, rel=0.02)
    assert errors.above_50ppb_percent == pytest.approx(0.2)
    assert errors.rms_ppb > 10


def test_parts_are_told_apart_by_depth_in_mm_and_by_distance_from_a_lesion():
    voxel_size_mm = (1.0, 1.0, 3.0)
    x, y, z = np.nonzero(INNER)
    depth_mm = np.minimum.reduce([x - 4, 31 - x, y - 4, 25 - y, 3 * (z - 3), 3 * (18 - z)])
    error = np.where(depth_mm <= 2, 0.1, 0.001) * np.where((x + y + z) % 2, 1, -1)
    label = np.zeros(SHAPE, dtype=np.uint8)
    chi = np.zeros(SHAPE, dtype=np.float32)
    plain = {p.part: p for p in part_errors(error, INNER, INNER, chi, label, voxel_size_mm)}
    assert list(plain) == ["depth 0-2 mm", "depth 2-4 mm", "depth 4-8 mm", "depth > 8 mm"]
    assert plain["depth 0-2 mm"].above_50ppb_percent == 100
    assert plain["depth 0-2 mm"].rms_ppb == pytest.approx(100)
    assert plain["depth 2-4 mm"].robust_ppb == pytest.approx(1.4826, rel=1e-3)
    assert plain["depth > 8 mm"].above_50ppb_percent == 0
    assert sum(p.share_percent for p in plain.values()) == pytest.approx(100)
    inside = INNER & ~ndimage.binary_erosion(INNER, iterations=1)
    some = {p.part: p for p in part_errors(error[inside[INNER]], INNER, inside, chi, label, voxel_size_mm)}
    assert some["depth 0-2 mm"].above_50ppb_percent == 100
    assert some["depth 2-4 mm"].share_percent > 0  # a face across the slices is 3 mm deep, whatever is judged
    label[18, 15, 11] = LESION_LABEL["microbleed"]
    chi[0, 0, 0] = 9.4
    found = {p.part: p for p in part_errors(error, INNER, INNER, chi, label, voxel_size_mm)}
    near = ((x - 18) ** 2 + (y - 15) ** 2 + (3 * (z - 11)) ** 2 <= 16).mean()
    assert found["from sources 0-4 mm"].share_percent == pytest.approx(100 * near)
    chi[18, 15, 11], label[18, 15, 11] = -0.6, 0
    assert part_errors(error, INNER, INNER, chi, label, voxel_size_mm) == tuple(found.values())


def test_noise_that_tells_the_truth_admits_95_percent_of_the_errors():
    rng = np.random.default_rng(2)
    noise = rng.uniform(0.001, 0.01, 50_000)
    error = rng.normal(0, noise)
    assert within_two_noise_percent(error, noise) == pytest.approx(95.45, abs=0.5)
    assert within_two_noise_percent(error, noise / 3) < 60
