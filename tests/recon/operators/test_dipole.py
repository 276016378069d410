"""Laws of the dipole kernel, on a non-cubic, anisotropic, oblique grid."""

import math

import numpy as np
import pytest
import torch

from recon.operators.dipole import dipole_field, dipole_kernel, good_fft_shape
from recon.types import Grid

SHAPE = (26, 20, 18)
VOXEL = (0.8, 1.1, 2.0)
OBLIQUE = tuple(np.array((0.3, -0.5, 0.8)) / np.linalg.norm((0.3, -0.5, 0.8)))
GRID = Grid(shape=SHAPE, voxel_size_mm=VOXEL, b0_direction=OBLIQUE)


def test_kernel_range_and_mean():
    kernel = dipole_kernel(SHAPE, GRID)
    assert kernel[0, 0, 0] == 0
    assert kernel.max() <= 1 / 3 + 1e-6
    assert kernel.min() >= -2 / 3 - 1e-6


def test_kernel_is_the_spectrum_of_a_real_operator():
    kernel = dipole_kernel(SHAPE, GRID)
    back = torch.fft.rfftn(torch.fft.irfftn(kernel.to(torch.complex64), s=SHAPE))
    torch.testing.assert_close(back.real, kernel, atol=1e-5, rtol=0)


def test_field_is_linear_and_self_adjoint():
    a, b = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        dipole_field(2 * a - b, GRID), 2 * dipole_field(a, GRID) - dipole_field(b, GRID), atol=1e-4, rtol=1e-4
    )
    left, right = (dipole_field(a, GRID) * b).sum(), (a * dipole_field(b, GRID)).sum()
    assert left.item() == pytest.approx(right.item(), rel=1e-3, abs=1e-2)


@pytest.mark.parametrize("axes", [(1, 2, 0), (2, 0, 1), (1, 0, 2)])
def test_permuting_axes_permutes_the_field(axes):
    chi = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2))
    grid = Grid(
        shape=tuple(SHAPE[a] for a in axes),
        voxel_size_mm=tuple(VOXEL[a] for a in axes),
        b0_direction=tuple(OBLIQUE[a] for a in axes),
    )
    moved = dipole_field(chi.permute(axes).contiguous(), grid)
    torch.testing.assert_close(moved, dipole_field(chi, GRID).permute(axes), atol=1e-4, rtol=1e-4)


def sphere(grid, radius_mm):
    axes = [(np.arange(n) - n // 2) * s for n, s in zip(grid.shape, grid.voxel_size_mm, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    # A soft edge, about a voxel wide: a hard one rings.
    return x, y, z, np.clip((radius_mm - np.sqrt(x**2 + y**2 + z**2)) / 2.0 + 0.5, 0, 1)


def test_sphere_has_the_textbook_field_for_oblique_b0():
    grid = Grid(shape=(72, 60, 44), voxel_size_mm=(0.8, 1.0, 1.4), b0_direction=OBLIQUE)
    x, y, z, inside = sphere(grid, 8.0)
    field = dipole_field(torch.tensor(inside.astype(np.float32)), grid).numpy()
    along = x * OBLIQUE[0] + y * OBLIQUE[1] + z * OBLIQUE[2]
    r = np.sqrt(x**2 + y**2 + z**2)
    outside = (r > 12) & (r < 20)
    volume_mm3 = inside.sum() * grid.voxel_volume_mm3
    expected = volume_mm3 / (4 * math.pi) * (3 * along**2 / r.clip(1) ** 2 - 1) / r.clip(1) ** 3
    assert np.abs(field - expected)[outside].max() < 0.05 * np.abs(expected[outside]).max()
    assert np.corrcoef(field[outside], expected[outside])[0, 1] > 0.995
    # Inside, a sphere has no field of its own (Lorentz sphere removed).
    assert abs(field[r < 4].mean()) < 0.01


def test_positive_susceptibility_raises_the_field_on_the_b0_axis():
    grid = Grid(shape=(40, 36, 32), voxel_size_mm=(1.0, 1.0, 1.0), b0_direction=(0.0, 0.0, 1.0))
    _, _, _, inside = sphere(grid, 4.0)
    field = dipole_field(torch.tensor(inside.astype(np.float32)), grid)
    assert field[20, 18, 16 + 7] > 0
    assert field[20 + 7, 18, 16] < 0


def test_blurred_sources_leave_the_distant_field_unchanged():
    grid = Grid(shape=(48, 44, 40), voxel_size_mm=(1.0, 1.2, 1.5), b0_direction=OBLIQUE)
    x, y, z, _ = sphere(grid, 4.0)
    chi = torch.tensor(np.exp(-(x**2 + y**2 + z**2) / (2 * 2.2**2)).astype(np.float32))
    far = torch.tensor((np.sqrt(x**2 + y**2 + z**2) > 14) & (np.abs(x) < 18) & (np.abs(y) < 20) & (np.abs(z) < 24))
    sharp, blurred = dipole_field(chi, grid), dipole_field(chi, grid, blur_voxels=0.8)
    assert (sharp - blurred)[far].abs().max() < 0.03 * sharp[far].abs().max()


def test_good_fft_shape_never_shrinks():
    assert all(g >= n for g, n in zip(good_fft_shape((97, 101, 113)), (97, 101, 113), strict=True))
