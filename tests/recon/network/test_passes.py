"""Passes and data consistency."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.network.consistency import field_data, steps_towards_field, unexplained_field
from recon.network.features import CHI_UNIT_PPM, RESIDUAL_CHANNEL, START_CHANNEL, TOTAL_CHANNEL
from recon.network.passes import one_pass, refined_channels, run_passes, with_channels
from recon.operators.dipole import dipole_field
from recon.types import Grid
from tests.support.network_input import data_of, features_of

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
    assert error(step(weak, data), chi, mask) < 0.75 * error(weak, chi, mask)
    assert error(step(chi, data), chi, mask) < 0.05


def test_a_network_that_corrects_nothing_returns_the_start_held_to_the_field():
    chi, field, mask = head()
    features = features_of(field, mask, torch.full(GRID.shape, 0.002), GRID)
    silent = lambda stack: torch.zeros_like(stack[:, :1])  # noqa: E731
    data = data_of(features, mask, GRID)
    start = features[START_CHANNEL] * CHI_UNIT_PPM
    once = run_passes(features, data, silent, stride=4, passes=1)
    torch.testing.assert_close(once, steps_towards_field(start, data, 2), atol=1e-6, rtol=1e-4)
    twice = run_passes(features, data, silent, stride=4, passes=2)
    torch.testing.assert_close(
        twice, steps_towards_field(steps_towards_field(start, data, 2), data, 2), atol=1e-6, rtol=1e-4
    )
    assert error(once, chi, mask) < error(start, chi, mask)
    assert error(twice, chi, mask) < 1.01 * error(once, chi, mask)  # steps end where the field holds no more


def test_a_mirrored_pass_is_the_mirrored_head_s_pass_mirrored():
    features = features_of(*head()[1:], torch.full(GRID.shape, 0.002), GRID)
    assert all(n % 4 == 0 for n in GRID.shape)
    lopsided = lambda stack: 0.1 * torch.roll(stack[:, :1], (1, 3, 2), (2, 3, 4))  # noqa: E731
    around = lambda volume: torch.flip(volume, (-3, -2, -1))  # noqa: E731
    mirrored = one_pass(features, lopsided, 4, mirrored=True)
    torch.testing.assert_close(mirrored, around(one_pass(around(features), lopsided, 4)), atol=1e-6, rtol=1e-4)
    assert (mirrored - one_pass(features, lopsided, 4)).abs().max() > 1e-3


def test_every_other_pass_is_mirrored():
    _, field, mask = head()
    features = features_of(field, mask, torch.full(GRID.shape, 0.002), GRID)
    seen = []

    def noting(stack):
        seen.append(stack[0, TOTAL_CHANNEL])
        return torch.zeros_like(stack[:, :1])

    run_passes(features, data_of(features, mask, GRID), noting, stride=4, passes=3)
    straight, turned = seen[0], torch.flip(seen[0], (0, 1, 2))
    assert not torch.equal(straight, turned)
    for stack, expected in zip(seen, (straight, turned, straight), strict=True):
        torch.testing.assert_close(stack, expected)


def step(chi, data):
    return steps_towards_field(chi, data, 1)


def test_a_field_that_says_nothing_leaves_the_map_as_it_is():
    chi, field, mask = head()
    nothing = field_data(field, mask, GRID, reliable=torch.zeros_like(mask))
    torch.testing.assert_close(step(chi, nothing), chi, atol=1e-6, rtol=1e-4)


def test_the_noisier_the_field_the_less_of_it_a_step_takes():
    chi, field, mask = head()
    generator = torch.Generator().manual_seed(4)
    weak, noise = 0.6 * chi, torch.randn(GRID.shape, generator=generator) * mask
    region = mask & (chi > 0.05)
    spread, gain = [], []
    for noise_ppm in (0.001, 0.004, 0.016):
        noisy = field_data(field + noise_ppm * noise, mask, GRID)
        quiet = replace(noisy, field_ppm=field)
        taken = step(weak, noisy) - step(weak, quiet)
        spread.append(float(taken[mask].std()) / noise_ppm)
        gain.append(float((step(weak, noisy)[region].mean() - weak[region].mean()) / chi[region].mean()))
    assert spread == sorted(spread, reverse=True)
    assert gain == sorted(gain, reverse=True)
    assert min(gain) > 0.03


def test_a_place_that_is_a_turn_off_hardly_moves_the_map():
    chi, field, mask = head()
    island = torch.zeros_like(mask)
    island[18:22, 16:20, 11:13] = True
    moved = {}
    for off_ppm in (0.02, 0.4):
        data = field_data(field + off_ppm * island, mask, GRID)
        moved[off_ppm] = float((step(chi, data) - step(chi, field_data(field, mask, GRID))).norm())
    assert moved[0.4] < 2.0 * moved[0.02]  # a step that believed it would move by twenty times as much


def test_bone_in_the_rim_of_a_mask_that_is_too_large_hardly_moves_the_map():
    grid = replace(GRID, voxel_size_mm=(0.9, 1.0, 1.4))
    chi, _, mask = head()
    wide = torch.nn.functional.max_pool3d(mask[None, None].float(), 3, stride=1, padding=1)[0, 0] > 0.5
    x, _, z = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    bone = -0.3 * (wide & ~mask & (x > 0.3) & (z.abs() < 0.5))
    data = field_data(torch.where(wide, dipole_field(chi + bone, grid), 0.0), wide, grid)
    aside, believed = (step(chi, given) for given in (data, replace(data, region=wide)))
    assert error(aside, chi, mask) < 0.4 * error(believed, chi, mask)


@pytest.mark.parametrize("voxel_size_mm", [(1.0, 1.0, 1.0), (0.5, 0.7, 3.0), (2.0, 2.0, 2.0)])
def test_the_rim_is_measured_in_millimetres_and_a_volume_s_face_is_not_one(voxel_size_mm):
    grid = replace(GRID, voxel_size_mm=voxel_size_mm)
    mask = torch.zeros(GRID.shape, dtype=torch.bool)
    mask[8:32, 8:28, :] = True
    region = field_data(torch.zeros(GRID.shape), mask, grid).region
    a, b = (int(1.5 / size) for size in voxel_size_mm[:2])
    expected = torch.zeros_like(mask)
    expected[8 + a : 32 - a, 8 + b : 28 - b, :] = True
    assert torch.equal(region, expected)


def test_a_dropout_at_the_surface_leaves_the_rest_of_the_input_alone():
    _, field, mask = head()
    noise = torch.full(GRID.shape, 0.002)
    x, y, z = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    void = mask & ((x + 0.6) ** 2 + (y + 0.5) ** 2 + z**2 < 0.06)
    generator = torch.Generator().manual_seed(5)
    shown = torch.where(void, torch.rand(GRID.shape, generator=generator) * 4 - 2, field)
    clean = features_of(field, mask, noise, GRID)
    spoilt = features_of(shown, mask, torch.where(void, torch.tensor(5.0), noise), GRID)
    far = mask & (x > 0.0)
    for channel in (3, 4, 5, 6):
        change = (spoilt - clean)[channel][far]
        assert change.norm() < 0.1 * clean[channel][far].norm()
    assert torch.equal(spoilt[1], clean[1])  # what has no field of its own still is in the map


def test_the_next_pass_sees_the_refined_map_and_nothing_else_changes():
    _, field, mask = head()
    features = features_of(field, mask, torch.full(GRID.shape, 0.002), GRID)
    refined = refined_channels(torch.zeros(GRID.shape), data_of(features, mask, GRID))
    seen = torch.stack(with_channels(features, refined))
    others = [i for i in range(len(features)) if i not in (START_CHANNEL, RESIDUAL_CHANNEL)]
    assert torch.equal(seen[others], features[others])
    assert torch.equal(seen[[START_CHANNEL, RESIDUAL_CHANNEL]], refined)


def test_volumes_are_padded_to_the_stride_and_cut_back():
    _, field, mask = head()
    features = features_of(field, mask, torch.full(GRID.shape, 0.002), GRID)
    sizes = []

    def forward(stack):
        sizes.append(tuple(stack.shape[2:]))
        return stack[:, :1]

    assert one_pass(features, forward, 16).shape == GRID.shape
    assert sizes == [(48, 48, 32)]
    assert np.isfinite(one_pass(features, forward, 16).numpy()).all()
