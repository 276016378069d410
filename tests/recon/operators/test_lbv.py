"""The harmonic extension and V-SHARP: both must remove what outside sources make, and keep what inside ones make."""

import numpy as np
import pytest
import torch

from recon.operators.dipole import dipole_field
from recon.operators.lbv import harmonic_background, harmonic_local_field
from recon.operators.lbv_gpu import relaxed_local_field
from recon.operators.vsharp import vsharp
from recon.types import Grid

OBLIQUE = tuple(np.array((0.2, 0.4, 0.9)) / np.linalg.norm((0.2, 0.4, 0.9)))
GRID = Grid(shape=(64, 56, 36), voxel_size_mm=(1.0, 1.1, 1.8), b0_direction=OBLIQUE)


def axes_mm(grid=GRID):
    return np.meshgrid(
        *((np.arange(n) - n / 2) * s for n, s in zip(grid.shape, grid.voxel_size_mm, strict=True)), indexing="ij"
    )


@pytest.fixture(scope="module")
def head():
    x, y, z = axes_mm()
    mask = (x / 24) ** 2 + (y / 22) ** 2 + (z / 24) ** 2 < 1
    source = 80 * np.exp(-((x - 27) ** 2 + (y - 10) ** 2 + (z + 20) ** 2) / (2 * 2.5**2))
    inner = 0.3 * np.exp(-((x + 4) ** 2 + y**2 + (z - 3) ** 2) / (2 * 3.0**2))
    background = dipole_field(torch.from_numpy(source.astype(np.float32)), GRID).numpy()
    local = dipole_field(torch.from_numpy(inner.astype(np.float32)), GRID).numpy()
    return mask, background, local


def test_a_linear_field_is_its_own_harmonic_extension(head):
    mask = head[0]
    x, y, z = axes_mm()
    field = (0.01 * x - 0.02 * y + 0.005 * z + 0.3).astype(np.float32)
    found = harmonic_background(field, mask, GRID, sweeps=80)
    assert np.abs(found - field)[mask].max() < 2e-3
    assert not found[~mask].any()


def test_the_extension_obeys_the_maximum_principle(head):
    mask, background, local = head
    field = (background + local).astype(np.float32)
    found = harmonic_background(field, mask, GRID)
    assert found[mask].max() <= field[mask].max() + 1e-4
    assert found[mask].min() >= field[mask].min() - 1e-4


@pytest.mark.parametrize("method", ["harmonic", "vsharp"])
def test_background_goes_and_local_field_stays(head, method):
    mask, background, local = head
    total = (background + local).astype(np.float32)
    if method == "harmonic":
        found = total - harmonic_background(total, mask, GRID)
    else:
        found = vsharp(torch.from_numpy(total), torch.from_numpy(mask), GRID).numpy()
    x, y, z = axes_mm()
    core = (x / 18) ** 2 + (y / 16) ** 2 + (z / 18) ** 2 < 1
    difference = (found - local)[core]
    assert (difference - difference.mean()).std() < 0.25 * local[core].std()
    assert background[core].std() > 1.5 * local[core].std()


def test_the_extension_is_linear(head):
    mask, background, local = head
    a, b = background.astype(np.float32), local.astype(np.float32)
    together = harmonic_background(2 * a - b, mask, GRID)
    apart = 2 * harmonic_background(a, mask, GRID) - harmonic_background(b, mask, GRID)
    np.testing.assert_allclose(together, apart, atol=1e-4)


def test_a_mask_without_interior_returns_the_field_on_it():
    mask = np.zeros(GRID.shape, bool)
    mask[10, 10, 10] = True
    field = np.full(GRID.shape, 0.5, np.float32)
    found = harmonic_background(field, mask, GRID)
    assert found[10, 10, 10] == pytest.approx(0.5)
    assert found.sum() == pytest.approx(0.5)


def irregular_head(grid):
    x, y, z = axes_mm(grid)
    mask = (x / 24) ** 2 + (y / 22) ** 2 + (z / 24) ** 2 < 1
    mask &= ~((x - 10) ** 2 + (y + 20) ** 2 + z**2 < 8**2)
    mask[:, :, -9:] = False
    rng = np.random.default_rng(7)
    field = 0.02 * rng.standard_normal(grid.shape) + 0.01 * x - 0.002 * y * z
    return (field * mask).astype(np.float32), mask


@pytest.mark.parametrize("sweeps", [20, 40])
@pytest.mark.parametrize("shape", [(64, 56, 36), (51, 47, 29)])
def test_whole_volume_operations_find_the_same_local_field(shape, sweeps):
    grid = Grid(shape=shape, voxel_size_mm=GRID.voxel_size_mm, b0_direction=OBLIQUE)
    field, mask = irregular_head(grid)
    expected = harmonic_local_field(field, mask, grid, sweeps)
    found = relaxed_local_field(torch.from_numpy(field), torch.from_numpy(mask), grid, sweeps).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert np.abs(expected).max() > 0.02


def test_an_empty_mask_has_no_local_field_on_either_way():
    nothing = np.zeros(GRID.shape, np.float32)
    found = relaxed_local_field(torch.from_numpy(nothing), torch.from_numpy(nothing > 0), GRID)
    assert not found.any()
    assert not harmonic_local_field(nothing, nothing > 0, GRID).any()
