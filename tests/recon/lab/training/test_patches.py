"""The order of data, and how patches are cut."""

import numpy as np
import torch

from recon.lab.training.patches import PatchPlan, cut_patch, draw_patch
from recon.lab.training.pool import FIRST_PASS, SECOND_PASS
from recon.lab.training.state import TrainingArgs
from recon.network.features import CHANNELS, RESIDUAL_CHANNEL, START_CHANNEL


def test_the_order_of_data_follows_from_seed_and_step():
    args = TrainingArgs(first_head=5, steps_per_head=10, window=64)
    assert draw_patch(args, 77, 0) == draw_patch(args, 77, 0)
    assert draw_patch(args, 77, 0) != draw_patch(args, 78, 0)
    assert draw_patch(args, 77, 0) != draw_patch(args, 77, 1)
    heads = [draw_patch(args, step, 0).head for step in range(3000)]
    assert all(args.oldest(s) <= h <= args.newest(s) for s, h in enumerate(heads))


def test_a_patch_is_permuted_flipped_and_scaled():
    stack = np.arange(4 * 6 * 5 * 4, dtype=np.float16).reshape(4, 6, 5, 4)
    plan = PatchPlan(head=0, corner=(0, 0, 0), axes=(2, 0, 1), flips=(True, False, False), scale=-2.0)
    patch = cut_patch(torch.from_numpy(stack), plan, 4, constant_channels=(3,), channels=range(4))
    expected = stack[:, :4, :4, :4].astype(np.float32).transpose(0, 3, 1, 2)[:, ::-1]
    np.testing.assert_array_equal(patch[0], expected[0] * -2)
    np.testing.assert_array_equal(patch[3], expected[3])


def test_volumes_smaller_than_the_patch_are_padded():
    plan = PatchPlan(head=0, corner=(1, 1, 1), axes=(0, 1, 2), flips=(False,) * 3, scale=1.0)
    patch = cut_patch(torch.ones(2, 3, 8, 8, dtype=torch.float16), plan, 8, (), range(2))
    assert patch.shape == (2, 8, 8, 8)
    assert patch.sum() == 2 * 3 * 64


def test_the_second_pass_takes_the_refined_channels():
    stack = np.arange(len(CHANNELS) + 4)
    first, second = stack[list(FIRST_PASS)], stack[list(SECOND_PASS)]
    assert list(np.flatnonzero(first != second)) == [START_CHANNEL, RESIDUAL_CHANNEL]
    assert list(second[[START_CHANNEL, RESIDUAL_CHANNEL]]) == [len(CHANNELS), len(CHANNELS) + 1]
    assert list(first[-2:]) == list(second[-2:]) == [len(CHANNELS) + 2, len(CHANNELS) + 3]
    plans = [draw_patch(TrainingArgs(), step, 0) for step in range(200)]
    assert 0.45 < np.mean([plan.refined for plan in plans]) < 0.75
