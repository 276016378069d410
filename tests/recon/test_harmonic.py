"""The harmonic extension and V-SHARP: both must remove what outside sources make, and keep what inside ones make."""

import numpy as np
import pytest
import torch

from recon.dipole import dipole_field
from recon.harmonic import harmonic_background
from recon.sharp import vsharp
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
