"""SWI: veins dark whatever their direction, calcifications not; invariant to what does not matter."""

import dataclasses

import numpy as np
import pytest
import torch

from recon.lab.simulation.head import LESION_LABEL, VEIN_LABEL, WHITE_MATTER_LABEL
from recon.operators.dipole import dipole_field
from recon.products.contrasts.phase_mask import matched_field, phase_mask
from recon.products.contrasts.weighted import swi, true_swi
from tests.support.small_result import small_result
from tests.support.sphere import axes_mm


@pytest.mark.parametrize("make", [swi, true_swi])
def test_a_vein_is_darker_than_in_the_last_echo(make):
    scan, result = small_result()
    vein, tissue = scan.label == VEIN_LABEL, scan.label == WHITE_MATTER_LABEL

    def darkness(volume):
        return 1 - volume[vein].mean() / volume[tissue].mean()

    assert darkness(make(scan.echoes, result).volume) > 2 * darkness(scan.echoes.magnitude[-1]) + 0.1


@pytest.mark.parametrize("make", [swi, true_swi])
def test_a_calcification_is_not_masked(make):
    scan, result = small_result()
    calcification, vein = scan.label == LESION_LABEL["calcification"], scan.label == VEIN_LABEL
    made = make(scan.echoes, result).volume
    assert made[calcification].mean() > 1.5 * made[vein].mean()


@pytest.mark.parametrize("make", [swi, true_swi])
def test_the_scale_of_the_magnitude_does_not_matter(make):
    scan, result = small_result()
    louder = dataclasses.replace(scan.echoes, magnitude=scan.echoes.magnitude * np.float32(37))
    assert np.allclose(make(louder, result).volume, make(scan.echoes, result).volume, rtol=1e-3, atol=0.1)


def test_a_constant_field_does_not_matter():
    scan, result = small_result()
    total = result.total_field
    shifted = dataclasses.replace(total, field_ppm=np.where(total.mask, total.field_ppm + np.float32(0.7), 0))
    other = dataclasses.replace(result, total_field=shifted)
    assert np.abs(swi(scan.echoes, other).volume - swi(scan.echoes, result).volume).max() < 2.0


def test_phase_plays_no_part_but_through_the_field():
    scan, result = small_result()
    turned = dataclasses.replace(scan.echoes, phase_rad=np.zeros_like(scan.echoes.phase_rad))
    assert np.array_equal(swi(turned, result).volume, swi(scan.echoes, result).volume)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_veins_of_every_direction_are_positive_inside(axis):
    scan, result = small_result()
    grid, mask = scan.echoes.grid, result.total_field.mask
    axes = axes_mm(grid)
    across = [a for n, a in enumerate(axes) if n != axis]
    vein = (across[0] ** 2 + across[1] ** 2 < 1.8**2) & mask
    field = dipole_field(torch.from_numpy(np.where(vein, 0.3, 0).astype(np.float32)), grid).numpy()
    total = dataclasses.replace(result.total_field, field_ppm=np.where(mask, field, 0).astype(np.float32))
    inner = vein & (np.abs(axes[axis]) < 8)
    assert matched_field(total)[inner].mean() > 0.03
    darkened, _ = phase_mask(total)
    assert darkened[inner].mean() < 0.85
    total = dataclasses.replace(total, field_ppm=-total.field_ppm)
    assert phase_mask(total)[0][inner].mean() > 0.97


def test_a_doubtful_field_masks_nothing():
    _, result = small_result()
    noisy = dataclasses.replace(result.total_field, noise_ppm=np.full_like(result.total_field.noise_ppm, 5.0))
    mask, scale = phase_mask(noisy)
    assert mask.min() > 0.99
    assert scale == pytest.approx(30.0)


def test_outside_the_mask_the_magnitude_is_left_alone():
    _, result = small_result()
    mask, _ = phase_mask(result.total_field)
    assert (mask[~result.total_field.mask] == 1).all()


def test_a_mask_without_signal_gives_zeros_not_nan():
    scan, result = small_result()
    dark = dataclasses.replace(scan.echoes, magnitude=np.zeros_like(scan.echoes.magnitude))
    assert not swi(dark, result).volume.any()
