"""The field tells the direction of B0 by itself, to a few degrees."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from recon.operators.dipole import dipole_field
from recon.quality.b0_direction import b0_direction_figures
from recon.types import Grid

B0 = np.array([0.2, -0.4, 0.9]) / np.linalg.norm([0.2, -0.4, 0.9])
GRID = Grid(shape=(76, 88, 48), voxel_size_mm=(2.0, 1.8, 2.9), b0_direction=tuple(B0))


@pytest.fixture(scope="module")
def brain():
    """An ellipsoid that reaches no edge of the volume."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    return sum(axis**2 for axis in axes) < 0.8


@pytest.fixture(scope="module")
def tissue(brain):
    """The field of tissue of all sizes in ppm, without any background, with noise."""
    import torch

    rng = np.random.default_rng(3)
    white = rng.standard_normal(GRID.shape)
    chi = sum(ndimage.gaussian_filter(white, [width / size for size in GRID.voxel_size_mm]) for width in (2.0, 4.0))
    chi = np.where(brain, 0.05 * chi / chi.std(), 0).astype(np.float32)
    field = dipole_field(torch.from_numpy(chi), GRID).numpy()
    return np.where(brain, field + 0.002 * rng.standard_normal(GRID.shape), 0).astype(np.float32)


def turned(degrees):
    """Return a direction so far from B0, across the voxels' axes."""
    across = np.cross(B0, [0.3, 1.0, 0.2])
    angle = np.radians(degrees)
    return tuple(np.cos(angle) * B0 + np.sin(angle) * across / np.linalg.norm(across))


@pytest.mark.parametrize("degrees", [0, 8, 20, 45, 90])
def test_a_direction_that_is_stated_wrongly_is_told_by_how_much(tissue, brain, degrees):
    stated = replace(GRID, b0_direction=turned(degrees))
    assert b0_direction_figures(tissue, brain, stated)["b0_direction_off_deg"] == pytest.approx(degrees, abs=1.5)


def test_opposite_directions_are_the_same(tissue, brain):
    opposite = replace(GRID, b0_direction=tuple(-B0))
    assert b0_direction_figures(tissue, brain, opposite)["b0_direction_off_deg"] < 1.5


def test_one_bleed_does_not_outweigh_all_tissue(tissue, brain):
    bleeding = tissue.copy()
    bleeding[30:34, 40:44, 20:24] = 1.5
    assert b0_direction_figures(bleeding, brain, GRID)["b0_direction_off_deg"] < 3


def test_noise_and_a_few_slices_tell_nothing(tissue, brain):
    noise = np.where(brain, np.random.default_rng(5).standard_normal(GRID.shape), 0).astype(np.float32)
    assert b0_direction_figures(noise, brain, GRID) == {}
    few = replace(GRID, shape=(76, 88, 12))
    assert b0_direction_figures(tissue[:, :, 18:30], brain[:, :, 18:30], few) == {}
    assert b0_direction_figures(tissue, np.zeros_like(brain), GRID) == {}
    assert b0_direction_figures(np.where(brain, np.nan, 0).astype(np.float32), brain, GRID) == {}


@pytest.mark.parametrize("noise_ppm", [0.02, 0.04])
def test_noise_that_interpolation_has_smoothed_along_the_slices_shows_no_cone(tissue, brain, noise_ppm):
    white = np.random.default_rng(7).standard_normal(GRID.shape)
    smoothed = ndimage.gaussian_filter(white, [0, 0, 1.2])
    noisy = np.where(brain, tissue + noise_ppm * smoothed / smoothed.std(), 0).astype(np.float32)
    assert b0_direction_figures(noisy, brain, GRID).get("b0_direction_off_deg", 0) < 7
