"""The offset of a single echo: what can be measured of it in space is found, whatever lies in the brain."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recon.field.offsets.single_echo import remove_offset
from recon.field.reliability import reliability
from recon.operators.dipole import dipole_field
from recon.operators.lbv import harmonic_local_field, interior
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


def removed(field: FloatArray, noise_ppm: FloatArray) -> tuple[FloatArray, dict[str, float]]:
    """What is taken off the field, and the figures."""
    reliable, closed_mask = reliability(noise_ppm, brain(), GRID)
    changed = field.copy()
    sentence, figures = remove_offset(changed, brain(), GRID, reliable=reliable, closed_mask=closed_mask)
    assert "Single echo" in sentence
    return field - changed, figures


def rms_ppb(offset: FloatArray) -> float:
    """RMS of what an offset leaves in the local field."""
    inside = interior(interior(brain()))
    return 1e3 * float(harmonic_local_field(offset, brain(), GRID)[inside].std())


def bowl(curvature: float = CURVATURE) -> FloatArray:
    made: FloatArray = (curvature * sum(p**2 for p in positions_mm())).astype(np.float32)
    return made


@pytest.mark.parametrize("sign", [-1.0, 0.0, 1.0])
def test_curvature_is_found_under_tissue_and_any_harmonic_background(sign):
    offset, figures = removed(field_ppm(tissue_ppm(), sign * CURVATURE), noise())
    assert rms_ppb(offset - sign * bowl()) < 0.15 * rms_ppb(bowl())
    assert 1e3 * figures["single_echo_offset_ppm"] == pytest.approx(abs(sign) * rms_ppb(bowl()), abs=0.5)
    assert figures["single_echo_offset_uncertain_ppm"] < 0.002


def test_a_bleed_is_not_taken_for_the_coil():
    bleeding = tissue_ppm()
    bleeding[sphere((20.0, -30.0, 8.0), 13.0)] = 1.0
    without, beside = (removed(field_ppm(chi, 0.0), noise())[0] for chi in (tissue_ppm(), bleeding))
    assert rms_ppb(beside - without) < 0.3 * rms_ppb(bowl())


def test_voxels_without_signal_say_nothing():
    field, uncertain = field_ppm(tissue_ppm(), CURVATURE), noise()
    hole = sphere((-25.0, 20.0, 10.0), 9.0)
    field[hole] += np.random.default_rng(1).uniform(-1, 1, int(hole.sum())).astype(np.float32)
    uncertain[hole] = 0.5
    assert rms_ppb(removed(field, uncertain)[0] - bowl()) < 0.2 * rms_ppb(bowl())
    nothing, figures = removed(field, noise(1.0))
    assert not nothing.any()
    assert not any(figures.values())


def test_a_laplacian_that_changes_across_the_head_is_removed_where_it_is_beyond_tissue():
    x, y, _ = positions_mm()
    wavy = bowl(3 * CURVATURE) * (1 + (2.0 * x - y) / 60).astype(np.float32)
    offset, figures = removed(field_ppm(tissue_ppm(), 0.0) + wavy, noise())
    assert rms_ppb(offset - wavy) < 0.3 * rms_ppb(wavy)
    assert 1e3 * figures["single_echo_offset_uncertain_ppm"] > 0.5 * rms_ppb(wavy - bowl(3 * CURVATURE))


def test_a_harmonic_offset_is_left_to_the_background():
    x, y, z = positions_mm()
    harmonic = (0.2 + 0.01 * x - 0.02 * z + 1e-4 * (x * y + y**2 - z**2)).astype(np.float32)
    plain = field_ppm(tissue_ppm(), CURVATURE)
    assert rms_ppb(removed(plain + harmonic, noise())[0] - removed(plain, noise())[0]) < 0.05 * rms_ppb(bowl())
