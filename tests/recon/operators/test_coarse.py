"""The smooth part of values: slopes stay, waves are flattened by the rounds, outliers add little."""

import numpy as np
import pytest

from recon.operators.coarse import coarse_grid, smooth_part
from recon.types import Grid

GRID = Grid(shape=(48, 40, 26), voxel_size_mm=(1.0, 1.5, 2.0), b0_direction=(0.0, 0.6, 0.8))
CELLS = coarse_grid(GRID, 2.0)
INSIDE = (slice(12, -12), slice(8, -8), slice(6, -6))


def positions_mm():
    axes = [(np.arange(n) - (n - 1) / 2) * d for n, d in zip(GRID.shape, GRID.voxel_size_mm, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def smooth(values, rounds=4, outlier=9.0):
    return smooth_part(values.astype(np.float32), np.ones(GRID.shape, np.float32), CELLS, 3.0, rounds, outlier)


def test_a_slope_stays_although_single_values_contradict_it():
    x, y, _ = positions_mm()
    slope = 0.02 * x - 0.01 * y + np.random.default_rng(2).normal(0, 0.01, GRID.shape)
    spiked = slope.copy()
    spiked[24, 20, 13] += 30.0
    moved, moved_by_plain_means = (
        np.abs(smooth(spiked, outlier=o) - smooth(slope, outlier=o))[INSIDE].max() for o in (9.0, 1e30)
    )
    assert moved < 0.01 * 30
    assert moved < 0.5 * moved_by_plain_means


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_each_round_leaves_the_same_share_of_a_wave(rounds):
    x, _, _ = positions_mm()
    wave = np.cos(2 * np.pi * x / 25)
    left = np.abs(wave - smooth(wave, rounds))[INSIDE].max()
    # One Gaussian of 3 mm leaves a quarter, and its cells a little more.
    assert left < 0.35**rounds + 0.05


def test_values_without_weight_count_nothing():
    values = np.ones(GRID.shape, np.float32)
    weight = np.ones(GRID.shape, np.float32)
    values[:10], weight[:10] = 1e6, 0
    np.testing.assert_allclose(smooth_part(values, weight, CELLS, 3.0, 4, 9.0)[12:], 1.0, atol=1e-4)
