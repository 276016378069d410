"""Spheres and geometry: what is placed, and what is measured."""

import numpy as np
import pytest

from recon.inversion.methods import Inverted
from recon.lab.evaluation import robustness
from recon.lab.evaluation.robustness import (
    SPHERES_PPM,
    evaluate_geometry,
    evaluate_spheres,
    sphere_lesions,
    sphere_line,
)


def test_spheres_keep_clear_of_each_other_and_cover_the_range():
    lesions = sphere_lesions(np.random.default_rng(0))
    places = np.array([lesion.shape.centre_mm for lesion in lesions])
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)[~np.eye(len(places), dtype=bool)]
    assert apart.min() > 22
    assert [lesion.chi_ppm for lesion in lesions] == list(SPHERES_PPM)
    assert all(min(lesion.shape.radius_mm) >= 4.5 and lesion.shape.roughness == 0 for lesion in lesions)


@pytest.fixture
def truth_times(monkeypatch):
    """A method that returns the truth times a factor that depends on B0."""

    def install(factor):
        scans, real = [], robustness.simulate_scan
        monkeypatch.setattr(robustness, "simulate_scan", lambda plan: scans.append(real(plan)) or scans[-1])
        monkeypatch.setattr(
            "recon.inversion.chains.harmonic_tikhonov",
            lambda total, engine: Inverted(chi_ppm=scans[-1].chi_ppm * np.float32(factor(total.grid.b0_direction))),
        )

    return install


def test_a_map_of_half_the_truth_has_slope_one_half(truth_times):
    truth_times(lambda b0: 0.5)
    rows = evaluate_spheres("tikhonov", voxel_size_mm=4.0, say=lambda text: None)
    slope, r_squared = sphere_line(rows)
    assert slope == pytest.approx(0.5, abs=1e-3)
    assert r_squared == pytest.approx(1, abs=1e-6)
    assert rows[0].true_ppm < -1 < 1 < rows[-1].true_ppm


def test_a_change_with_the_direction_of_b0_is_found_and_partial_volume_is_none(truth_times):
    truth_times(lambda b0: 1.0 + 0.2 * (1 - b0[2] ** 2))
    rows = list(evaluate_geometry("tikhonov", voxel_size_mm=4.0, say=lambda text: None))
    change = {row.condition: row.change_percent for row in rows}
    assert change["tilt 0°"] == pytest.approx(0)
    assert change["tilt 45°"] == pytest.approx(10, abs=0.01)
    assert change["tilt 90°"] == pytest.approx(20, abs=0.01)
    assert change["2 x 2 x 8 mm"] == pytest.approx(0, abs=0.01)
