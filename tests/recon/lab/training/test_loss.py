"""What the loss counts."""

import pytest
import torch

from recon.lab.training.loss import training_loss


def test_the_error_of_the_mean_of_a_region_costs_more_than_noise_of_the_same_size():
    target, weight = torch.randn(1, 1, 16, 24, 18), torch.ones(1, 1, 16, 24, 18)
    shifted = training_loss(target + 0.1, target, weight)
    chequered = training_loss(target + 0.1 * (torch.arange(18) % 2 * 2 - 1), target, weight) - training_loss(
        target, target, weight
    )
    slopes = 0.2 / 3  # what the gradient error adds along the chequered axis, and the other axes do not
    assert shifted > 0.5
    assert chequered - slopes < shifted


def test_loss_counts_only_weighted_voxels_and_is_zero_for_the_truth():
    target = torch.randn(1, 1, 6, 5, 4)
    weight = (torch.rand(1, 1, 6, 5, 4) > 0.5).float()
    wrong_outside = target + (1 - weight) * 5
    assert training_loss(wrong_outside, target, weight) == pytest.approx(0.0, abs=0.02)
    assert training_loss(0.5 * target, target, weight) > 0.3
