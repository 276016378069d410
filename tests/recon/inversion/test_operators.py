"""The operators that the iterations are made of: adjoints, and the physics of the wave operator."""

import pytest
import torch

from recon.inversion.weights import LARGEST_WEIGHT, data_weights
from recon.operators.differences import InnerDifferences, gradient, gradient_adjoint, gradient_energy
from recon.operators.dipole import dipole_field
from recon.operators.wave import apply_stencil, laplacian_stencil, wave_stencil
from tests.support.sphere import GRID, axes_mm, sphere_field

SIZE = GRID.voxel_size_mm


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def inner(a, b):
    return float((a * b).sum())


def test_periodic_gradient_and_its_adjoint():
    volume, slopes = noise(*GRID.shape), noise(3, *GRID.shape, seed=1)
    expected = inner(volume, gradient_adjoint(slopes, SIZE))
    assert inner(gradient(volume, SIZE), slopes) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(12, 9, 8), (11, 10, 7)])
def test_the_energy_is_the_spectrum_of_gradient_and_adjoint(shape):
    volume = noise(*shape)
    directly = gradient_adjoint(gradient(volume, SIZE), SIZE)
    spectrum = torch.fft.rfftn(volume) * gradient_energy(shape, SIZE)
    torch.testing.assert_close(torch.fft.irfftn(spectrum, s=shape), directly, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axis", range(3))
def test_inner_differences_and_their_adjoints(axis):
    mask = sphere_field().mask
    d = InnerDifferences.of(mask, SIZE)
    a, b = noise(*GRID.shape).float(), noise(*GRID.shape, seed=1).float()
    assert inner(d.ahead(a, axis), b) == pytest.approx(inner(a, d.ahead_adjoint(b, axis)), rel=1e-4)
    assert inner(d.behind(a, axis), b) == pytest.approx(inner(a, d.behind_adjoint(b, axis)), rel=1e-4)
    assert not d.ahead(torch.where(mask, 1.0, 5.0), axis).any()


def test_stencils_of_polynomials():
    x, y, z = (torch.from_numpy(a) for a in axes_mm())
    b = GRID.b0_direction
    quadratic = x * x + 2 * y * y - 3 * z * z + x * y - 2 * y * z + 0.5 * x * z
    core = (slice(1, -1),) * 3
    laplacian = apply_stencil(quadratic, laplacian_stencil(GRID))[core]
    torch.testing.assert_close(laplacian, torch.zeros_like(laplacian), atol=2e-3, rtol=0)
    along = 2 * (b[0] ** 2 + 2 * b[1] ** 2 - 3 * b[2] ** 2 + b[0] * b[1] - 2 * b[1] * b[2] + 0.5 * b[0] * b[2])
    wave = apply_stencil(quadratic, wave_stencil(GRID))[core]
    torch.testing.assert_close(wave, torch.full_like(wave, -along), atol=2e-3, rtol=0)


def test_the_wave_operator_of_chi_is_the_laplacian_of_its_field():
    x, y, z = (torch.from_numpy(a) for a in axes_mm())
    chi = torch.exp(-(x**2 + y**2 + z**2) / (2 * 5.0**2)).float()
    left = apply_stencil(dipole_field(chi, GRID), laplacian_stencil(GRID))
    right = apply_stencil(chi, wave_stencil(GRID))
    core = (slice(4, -4),) * 3
    assert (left - right)[core].norm() < 0.05 * right[core].norm()


def test_a_voxel_twice_as_noisy_weighs_half():
    mask = torch.tensor([True, True, True, True, False])
    levels = torch.tensor([0.002, 0.001, 0.004, 0.0001, 0.001])
    weights = data_weights(levels, mask)
    assert weights[0] / weights[2] == pytest.approx(2)
    assert weights[3] == LARGEST_WEIGHT
    assert weights[4] == 0


def test_without_any_noise_all_voxels_of_the_mask_weigh_the_same():
    mask = torch.tensor([True, False, True])
    assert torch.equal(data_weights(torch.zeros(3), mask), mask.float())
