"""Passes and data consistency."""

import numpy as np
import pytest
import torch

from recon.dipole import dipole_field
from recon.network.consistency import consistent_step, field_data, unexplained_field
from recon.network.features import CHI_UNIT_PPM, RESIDUAL_CHANNEL, START_CHANNEL, network_features
from recon.network.passes import (
    final_regularisation,
    measured_field,
    one_pass,
    refined_channels,
    run_passes,
    with_channels,
)
from recon.types import Grid

GRID = Grid(shape=(40, 36, 24), voxel_size_mm=(1.5, 1.6, 2.5), b0_direction=(0.0, 0.6, 0.8))


def head():
    x, y, z = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    mask = x**2 + y**2 + z**2 < 0.8
    chi = 0.1 * torch.exp(-((x - 0.2) ** 2 + y**2 + z**2) / 0.03) * mask
    chi = torch.where(mask, chi - chi[mask].mean(), 0.0)
    field = dipole_field(chi, GRID) + 0.2 * x - 0.1 * y * z
    return chi, torch.where(mask, field, 0.0), mask


def error(chi, truth, mask):
    return float(torch.linalg.vector_norm((chi - truth)[mask]) / torch.linalg.vector_norm(truth[mask]))


def test_the_true_map_leaves_no_field_unexplained_whatever_the_background():
    chi, field, mask = head()
    empty = unexplained_field(torch.zeros_like(chi), field_data(field, mask, GRID))
    true = unexplained_field(chi, field_data(field, mask, GRID))
    assert true.abs().max() < 0.1 * empty.abs().max()


def test_a_step_restores_lost_amplitude_and_leaves_the_truth_alone():
    chi, field, mask = head()
    data = field_data(field, mask, GRID)
    weak = 0.6 * chi
    assert error(consistent_step(weak, data), chi, mask) < 0.75 * error(weak, chi, mask)
    assert error(consistent_step(chi, data), chi, mask) < 0.05
    torch.testing.assert_close(consistent_step(weak, data, regularisation=1e9), weak, atol=1e-6, rtol=1e-4)


def test_a_network_that_corrects_nothing_returns_the_start_held_to_the_field():
    chi, field, mask = head()
    features = network_features(field, mask, torch.full(GRID.shape, 0.002), GRID)
    silent = lambda stack: torch.zeros_like(stack[:, :1])  # noqa: E731
    data, last = measured_field(features, GRID), final_regularisation(features)
    start = features[START_CHANNEL] * CHI_UNIT_PPM
    once = run_passes(features, silent, grid=GRID, stride=4, passes=1)
    torch.testing.assert_close(once, consistent_step(start, data, last), atol=1e-6, rtol=1e-4)
    twice = run_passes(features, silent, grid=GRID, stride=4, passes=2)
    expected = consistent_step(consistent_step(start, data), data, last)
    torch.testing.assert_close(twice, expected, atol=1e-6, rtol=1e-4)
    assert error(twice, chi, mask) < error(once, chi, mask) < error(start, chi, mask)


def test_the_noisier_the_field_the_less_the_last_step_changes():
    _, field, mask = head()
    values = []
    for noise_ppm in (0.0005, 0.002, 0.02, 0.2):
        features = network_features(field, mask, torch.full(GRID.shape, noise_ppm), GRID)
        values.append(final_regularisation(features))
    assert values == sorted(values)
    assert values[0] == pytest.approx(0.02 + 0.03 * 0.25, rel=0.01)
    assert values[-1] == 10.0  # nothing that could be trusted


def test_the_next_pass_sees_the_refined_map_and_nothing_else_changes():
    _, field, mask = head()
    features = network_features(field, mask, torch.full(GRID.shape, 0.002), GRID)
    refined = refined_channels(torch.zeros(GRID.shape), measured_field(features, GRID))
    seen = with_channels(features, refined)
    others = [i for i in range(len(features)) if i not in (START_CHANNEL, RESIDUAL_CHANNEL)]
    assert torch.equal(seen[others], features[others])
    assert torch.equal(seen[[START_CHANNEL, RESIDUAL_CHANNEL]], refined)


def test_volumes_are_padded_to_the_stride_and_cut_back():
    _, field, mask = head()
    features = network_features(field, mask, torch.full(GRID.shape, 0.002), GRID)
    sizes = []

    def forward(stack):
        sizes.append(tuple(stack.shape[2:]))
        return stack[:, :1]

    assert one_pass(features, forward, 16).shape == GRID.shape
    assert sizes == [(48, 48, 32)]
    assert np.isfinite(one_pass(features, forward, 16).numpy()).all()
