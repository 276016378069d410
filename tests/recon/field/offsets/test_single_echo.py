"""The offset of a single echo: what can be measured of it in space is found, whatever lies in the brain."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recon.field.offsets.single_echo import curvature_ppm_per_mm2, remove_offset
from recon.field.reliability import reliability
from recon.operators.dipole import dipole_field
from recon.operators.polynomial import Polynomial, fit_polynomial
from recon.types import BoolArray, FloatArray, Grid

GRID = Grid(shape=(56, 64, 40), voxel_size_mm=(2.6, 2.4, 3.4), b0_direction=(0.0, 0.2588, 0.9659))
CURVATURE = 0.02 / 80.0**2
"""Of a radio-frequency field in tissue of 0.5 S/m at 3 T, seen by one echo at 20 ms, in ppm/mm²."""


def positions_mm() -> tuple[np.ndarray, ...]:
    axes = (np.arange(n) * d - (n - 1) * d / 2 for n, d in zip(GRID.shape, GRID.voxel_size_mm, strict=True))
    return tuple(np.meshgrid(*axes, indexing="ij"))


def brain() -> BoolArray:
    x, y, z = positions_mm()
    inside: BoolArray = (x / 62) ** 2 + (y / 70) ** 2 + ((z + 0.1 * y) / 55) ** 2 < 1
    return inside


def sphere(centre_mm: tuple[float, float, float], radius_mm: float) -> np.ndarray:
    return sum((p - c) ** 2 for p, c in zip(positions_mm(), centre_mm, strict=True)) < radius_mm**2


def tissue_ppm() -> np.ndarray:
    """Nuclei of 0.1 to 0.15 ppm on both sides, a vein, and texture."""
    chi = np.random.default_rng(3).normal(0, 0.01, GRID.shape)
    for side in (-1, 1):
        chi[sphere((18.0 * side, 8.0, 0.0), 9.0)] += 0.12
        chi[sphere((12.0 * side, -6.0, -12.0), 6.0)] += 0.15
    chi[:, 30, 26] += 0.3
    return np.where(brain(), chi, 0)


def field_ppm(chi_ppm: np.ndarray, curvature: float) -> FloatArray:
    x, y, z = positions_mm()
    outside = 0.3 * (x + 0.5 * z) / 60 + 0.2 * (x**2 - z**2) / 60**2 + 0.1 * x * y * z / 60**3
    inside = dipole_field(torch.from_numpy(chi_ppm.astype(np.float32)), GRID).numpy()
    total: FloatArray = (inside + outside + curvature * (x**2 + y**2 + z**2)).astype(np.float32)
    return total


def noise(value: float = 0.003) -> FloatArray:
    return np.full(GRID.shape, value, dtype=np.float32)


def curvature_of(chi_ppm: np.ndarray, curvature: float) -> float:
    return curvature_in(field_ppm(chi_ppm, curvature), noise())


def curvature_in(field: FloatArray, noise_ppm: FloatArray) -> float:
    reliable, closed_mask = reliability(noise_ppm, brain(), GRID)
    return curvature_ppm_per_mm2(field, brain(), GRID, reliable=reliable, closed_mask=closed_mask)


@pytest.mark.parametrize("sign", [-1.0, 0.0, 1.0])
def test_curvature_is_found_under_tissue_and_any_harmonic_background(sign):
    assert curvature_of(tissue_ppm(), sign * CURVATURE) == pytest.approx(sign * CURVATURE, abs=0.15 * CURVATURE)


def test_a_bleed_is_not_taken_for_the_coil():
    bleeding = tissue_ppm()
    bleeding[sphere((20.0, -30.0, 8.0), 13.0)] = 1.0
    without, beside = curvature_of(tissue_ppm(), 0.0), curvature_of(bleeding, 0.0)
    assert abs(beside - without) < 0.3 * CURVATURE


def test_voxels_without_signal_say_nothing():
    field, uncertain = field_ppm(tissue_ppm(), CURVATURE), noise()
    hole = sphere((-25.0, 20.0, 10.0), 9.0)
    field[hole] += np.random.default_rng(1).uniform(-1, 1, int(hole.sum())).astype(np.float32)
    uncertain[hole] = 0.5
    found = curvature_in(field, uncertain)
    assert found == pytest.approx(CURVATURE, abs=0.2 * CURVATURE)
    assert curvature_in(field, noise(1.0)) == 0.0


def test_removal_takes_the_offset_out_in_place_and_says_how_much():
    field = field_ppm(tissue_ppm(), CURVATURE)
    sentence = remove_offset(
        field, np.ones(GRID.shape, dtype=np.float32), brain(), GRID, reliable=brain(), closed_mask=brain()
    )
    assert "Single echo" in sentence
    assert abs(curvature_in(field, noise())) < 0.05 * CURVATURE
    x, y, z = positions_mm()
    left = field - dipole_field(torch.from_numpy(tissue_ppm().astype(np.float32)), GRID).numpy()
    left = (left - 0.1 * x * y * z / 60**3)[brain()]
    assert np.std(left) < 0.1 * np.std(field_ppm(tissue_ppm(), CURVATURE)[brain()])


def test_harmonic_part_of_a_polynomial_has_no_laplacian_and_is_kept_whole():
    x, y, z = positions_mm()
    harmonic = 0.2 + 0.01 * x - 0.02 * z + 1e-4 * (x * y + y**2 - z**2)
    bowl = 3e-5 * (x**2 + y**2 + z**2)
    fitted = fit_polynomial((harmonic + bowl).astype(np.float32), brain().astype(np.float32), GRID.voxel_size_mm, 2)
    part = fitted.harmonic()
    squares = [part.coefficients[index] for index in ((2, 0, 0), (0, 2, 0), (0, 0, 2))]
    assert sum(squares) == pytest.approx(0.0, abs=1e-12)
    assert isinstance(part, Polynomial)
    missing = (part.on(GRID.shape, GRID.voxel_size_mm) - harmonic)[brain()]
    linear_and_constant = np.stack([np.ones_like(x), x, y, z], axis=-1)[brain()]
    unexplained = missing - linear_and_constant @ np.linalg.lstsq(linear_and_constant, missing, rcond=None)[0]
    assert np.abs(unexplained).max() < 1e-4
