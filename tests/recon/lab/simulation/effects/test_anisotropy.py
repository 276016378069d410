"""The field of a susceptibility tensor: the isotropic limit, its direction, and its sign."""

import numpy as np
import pytest
import torch

from recon.lab.simulation.draw.effect_plans import AnisotropyPlan
from recon.lab.simulation.effects.anisotropy import anisotropic_field_ppm, tensor_field_ppm
from recon.operators.dipole import dipole_field
from recon.types import Grid

OBLIQUE = Grid(shape=(20, 17, 14), voxel_size_mm=(1.0, 1.3, 2.1), b0_direction=(0.36, 0.48, 0.8))


def ball(grid, radius_mm):
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(grid.shape, grid.voxel_size_mm, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return torch.tensor(np.clip(radius_mm + 0.5 - np.sqrt(x**2 + y**2 + z**2), 0, 1), dtype=torch.float32)


def test_an_isotropic_tensor_has_the_field_of_a_dipole():
    chi = ball(OBLIQUE, 5.0)
    b0 = torch.tensor(OBLIQUE.b0_direction)[:, None, None, None]
    expected = dipole_field(chi, OBLIQUE)
    got = tensor_field_ppm(chi * b0, OBLIQUE)
    assert float((got - expected).abs().max()) < 0.03 * float(expected.abs().max())


def test_a_ball_of_parallel_fibres_feels_nothing_inside_by_its_own_lorentz_sphere():
    fibres = torch.tensor(OBLIQUE.b0_direction)[:, None, None, None].expand(3, *OBLIQUE.shape)
    share = ball(OBLIQUE, 6.0)
    field = anisotropic_field_ppm(AnisotropyPlan(difference_ppm=0.02), fibres, share, OBLIQUE)
    assert float(field[10, 8, 7].abs()) < 0.002
    # Fibres along B0 are more paramagnetic by two thirds of the difference: a dipole outside.
    scaled = dipole_field(share * (0.02 * 2 / 3), OBLIQUE)
    torch.testing.assert_close(field, scaled, rtol=0, atol=0.0006)


@pytest.mark.parametrize(("difference", "share"), [(0.0, 1.0), (0.02, 0.0)])
def test_without_difference_or_white_matter_there_is_no_field(difference, share):
    fibres = torch.nn.functional.normalize(torch.randn(3, *OBLIQUE.shape), dim=0)
    plan = AnisotropyPlan(difference_ppm=difference)
    assert not anisotropic_field_ppm(plan, fibres, torch.full(OBLIQUE.shape, share), OBLIQUE).any()
