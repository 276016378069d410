"""Doubtful voxels take what their neighbours suggest."""

import numpy as np
import torch

from recon.network.features import CHANNELS
from recon.operators.lbv import interpolate_doubtful
from recon.types import Grid
from tests.support.network_input import features_of

GRID = Grid(shape=(36, 32, 20), voxel_size_mm=(1.2, 1.4, 2.2), b0_direction=(0.0, 0.28, 0.96))
AXES = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(GRID.shape, GRID.voxel_size_mm, strict=True)]
X, Y, Z = np.meshgrid(*AXES, indexing="ij")
MASK = (X / 20) ** 2 + (Y / 20) ** 2 + (Z / 20) ** 2 < 1
HOLE = (X - 3) ** 2 + Y**2 + Z**2 < 6.0**2
SMOOTH = (0.02 * X - 0.01 * Y + 0.0008 * (X**2 - Z**2)).astype(np.float32)


def spoiled(seed=0):
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, GRID.shape)
    return np.where(MASK, SMOOTH + HOLE * noise, 0).astype(np.float32)


def test_a_harmonic_field_is_restored_in_a_hole_and_untouched_elsewhere():
    filled = interpolate_doubtful(spoiled(), ~HOLE, MASK, GRID)
    assert np.abs(filled - SMOOTH)[HOLE & MASK].max() < 0.01
    np.testing.assert_array_equal(filled[MASK & ~HOLE], spoiled()[MASK & ~HOLE])
    assert not filled[~MASK].any()


def test_at_the_edge_of_the_mask_no_value_leaves_the_range_of_the_known_ones():
    edge = MASK & (X > 14)
    field = np.where(edge, 9.0, spoiled(1) * ~HOLE + SMOOTH * HOLE).astype(np.float32) * MASK
    filled = interpolate_doubtful(field, ~edge, MASK, GRID)
    known = filled[MASK & ~edge]
    assert known.min() <= filled[edge].min() <= filled[edge].max() <= known.max()


def test_nothing_to_do_and_nothing_to_go_by():
    field = spoiled()
    np.testing.assert_array_equal(interpolate_doubtful(field, np.ones_like(MASK), MASK, GRID), field)
    np.testing.assert_array_equal(interpolate_doubtful(field, np.zeros_like(MASK), MASK, GRID), field)


def test_what_a_voxel_without_signal_says_does_not_reach_the_network():
    noise = np.where(HOLE, 0.3, 0.002).astype(np.float32)
    one, two = (
        features_of(torch.from_numpy(spoiled(seed)), torch.from_numpy(MASK), torch.from_numpy(noise), GRID)
        for seed in (0, 1)
    )
    torch.testing.assert_close(one, two, atol=2e-5, rtol=1e-4)
    assert one.shape[0] == len(CHANNELS)
