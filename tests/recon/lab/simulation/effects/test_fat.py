"""Fat moves along the readout, back and forth in a bipolar train."""

import pytest
import torch

from recon.lab.simulation.draw.effect_plans import FatPlan
from recon.lab.simulation.effects.fat import displaced, displacement_voxels


def test_the_displacement_is_the_chemical_shift_over_the_bandwidth():
    plan = FatPlan(bandwidth_hz=217.145, bipolar=False)
    assert displacement_voxels(plan, 0, 3.0) == pytest.approx(-2.0, rel=1e-4)
    assert displacement_voxels(plan, 1, 3.0) == displacement_voxels(plan, 0, 3.0)


def test_even_echoes_of_a_bipolar_train_are_displaced_the_other_way():
    plan = FatPlan(bipolar=True)
    assert displacement_voxels(plan, 1, 3.0) == -displacement_voxels(plan, 0, 3.0) == displacement_voxels(plan, 3, 3.0)


def test_whole_voxels_move_the_image_and_fractions_keep_its_power():
    image = torch.randn(9, 6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.complex64)
    torch.testing.assert_close(displaced(image, 2.0), image.roll(2, 0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(displaced(image, 0.0), image)
    assert float((displaced(image, 0.37).abs() ** 2).sum()) == pytest.approx(float((image.abs() ** 2).sum()), rel=1e-5)
