"""Errors by wavelength and by the cone."""

import numpy as np
import pytest

from recon.lab.evaluation import metrics
from recon.lab.evaluation.bands import error_bands
from recon.types import Grid

GRID = Grid(shape=(48, 40, 30), voxel_size_mm=(1.5, 2.0, 2.5), b0_direction=(0.0, 0.6, 0.8))
ALL = np.ones(GRID.shape, dtype=bool)


def test_the_squares_of_the_bands_add_up_to_the_error_and_so_do_cone_and_the_rest():
    rng = np.random.default_rng(1)
    truth, error = rng.normal(0, 0.05, (2, *GRID.shape)).astype(np.float32)
    *bands, cone, beside = error_bands(truth + 0.5 * error, truth, ALL, GRID)
    whole = metrics.nrmse(truth + 0.5 * error, truth, ALL)
    for parts in (bands, (cone, beside)):
        assert sum(band.error_percent**2 for band in parts) == pytest.approx(whole**2, rel=1e-3)
        assert sum(band.signal_percent**2 for band in parts) == pytest.approx(100**2, rel=1e-3)


@pytest.mark.parametrize(("wavelength_mm", "name"), [(10.0, "8 to 16 mm"), (20.0, "16 to 32 mm"), (6.0, "4 to 8 mm")])
def test_a_wave_lies_in_its_band(wavelength_mm, name):
    x = np.arange(GRID.shape[0])[:, None, None] * GRID.voxel_size_mm[0]
    wave = np.broadcast_to(np.sin(2 * np.pi * x / wavelength_mm), GRID.shape).astype(np.float32)
    truth = np.random.default_rng(2).normal(0, 0.05, GRID.shape).astype(np.float32)
    errors = {band.name: band.error_percent for band in error_bands(truth + wave, truth, ALL, GRID)}
    assert max((n for n in errors if n.endswith("mm")), key=errors.__getitem__) == name
    assert errors["beside"] > 3 * errors["cone"]  # along x, across B0, the kernel is 1/3
