"""Phase in voids: which turn a first map chooses, and what is left alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.network.constants import NETWORK
from recon.network.features import FIELD_UNIT_PPM, TOTAL_CHANNEL, network_features
from recon.network.passes import measured_field, run_passes, susceptibility
from recon.network.void_unwrapping import unwrap_voids
from recon.operators.dipole import dipole_field
from recon.types import Grid
from tests.support.network_input import tensors_of

GRID = Grid(shape=(48, 44, 28), voxel_size_mm=(1.4, 1.5, 2.3), b0_direction=(0.0, 0.6, 0.8))
TURN = 0.39


def axes_mm():
    return torch.meshgrid(
        *((torch.arange(n) - n / 2) * s for n, s in zip(GRID.shape, GRID.voxel_size_mm, strict=True)), indexing="ij"
    )


def patient(turns, noise_ppm=0.06, radius_mm=8.0):
    """Return a truth with a bleed, its void, and a field that is so many turns off there."""
    x, y, z = axes_mm()
    mask = (x / 30) ** 2 + (y / 29) ** 2 + (z / 28) ** 2 < 1
    void = (x - 4) ** 2 + y**2 + (z + 2) ** 2 < radius_mm**2
    chi = torch.where(mask, 0.5 * void.float(), 0.0)
    chi = torch.where(mask, chi - chi[mask].mean(), 0.0)
    field = dipole_field(chi, GRID) + 0.004 * x - 2e-5 * y * z
    shown = torch.where(mask, field + turns * TURN * void, 0.0)
    noise = torch.where(void, noise_ppm, 0.003)
    return tensors_of(shown, mask, noise, GRID, TURN), torch.where(mask, field, 0.0), chi, void


def regained(measured, chi):
    features = network_features(measured)
    data = measured_field(features, GRID, reliable=measured.reliable, closed_mask=measured.closed_mask)
    return unwrap_voids(chi, data, measured, usable_ppm=features[TOTAL_CHANNEL] * FIELD_UNIT_PPM)


@pytest.mark.parametrize("turns", [-2, -1, 0, 1, 3])
def test_a_field_that_is_turns_off_is_moved_back_and_believed(turns):
    measured, field, chi, void = patient(turns)
    voids = regained(measured, chi)
    assert (voids.regained & void).sum() > 0.9 * void.sum()
    assert not (voids.regained & ~void).any()
    torch.testing.assert_close(voids.field_ppm[voids.regained], field[voids.regained], atol=1e-5, rtol=0.0)
    torch.testing.assert_close(voids.field_ppm[~voids.regained], measured.field_ppm[~voids.regained])
    assert voids.turned_voxels == (int(voids.regained.sum()) if turns else 0)


def test_where_no_turn_can_be_wrong_nothing_is_turned():
    measured, _, chi, _ = patient(1)
    voids = regained(replace(measured, ppm_per_2pi=None), chi)
    assert not voids.regained.any()
    assert voids.turned_voxels == 0


def test_what_no_turn_explains_says_nothing_and_what_is_small_is_not_worth_it():
    measured, _, chi, void = patient(0)
    off = 0.5 * (NETWORK.most_left_turns + 0.5) * TURN
    spoilt = measured.believed(measured.field_ppm + off * void, measured.reliable)
    assert not regained(spoilt, chi).regained.any()
    assert not regained(patient(1, noise_ppm=1.01 * NETWORK.most_noise_turns * TURN)[0], chi).regained.any()
    small, _, chi, void = patient(1, radius_mm=3.0)
    assert void.any()
    assert not regained(small, chi).regained.any()
    torch.testing.assert_close(regained(small, chi).field_ppm, small.field_ppm)


def test_a_void_at_the_wrong_turn_gives_the_map_of_the_right_one():
    silent = lambda stack: torch.zeros_like(stack[:, :1])  # noqa: E731
    right, _, chi, void = patient(0)
    wrong, _, _, _ = patient(1)
    map_right, _ = susceptibility(right, silent, stride=4, passes=2)
    map_wrong, voids = susceptibility(wrong, silent, stride=4, passes=2)
    trusting = tensors_of(wrong.field_ppm, wrong.mask, wrong.noise_ppm, GRID)
    features = network_features(trusting)
    data = measured_field(features, GRID, reliable=trusting.reliable, closed_mask=trusting.closed_mask)
    guessed = run_passes(features, data, silent, stride=4, passes=2)
    assert voids.turned_voxels > 0.5 * void.sum()
    error = [float((found - chi)[void].norm() / chi[void].norm()) for found in (map_right, map_wrong, guessed)]
    assert error[1] == pytest.approx(error[0], rel=0.1)
    assert error[1] < error[2]


def test_a_field_without_voids_costs_no_further_pass():
    measured, field, _, _ = patient(0)
    calls = []

    def counted(stack):
        calls.append(1)
        return torch.zeros_like(stack[:, :1])

    clean = tensors_of(field, measured.mask, torch.full(GRID.shape, 0.003), GRID, TURN)
    chi, voids = susceptibility(clean, counted, stride=4, passes=2)
    assert len(calls) == 2
    assert not voids.regained.any()
    assert np.isfinite(chi.numpy()).all()
    susceptibility(measured, counted, stride=4, passes=2)
    assert len(calls) == 5
