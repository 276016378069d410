"""Echoes with a constant or a ramp of their own (public reports: ROMEO 3 and 23)."""

from dataclasses import replace

import numpy as np
import pytest

from recon.field.total import total_field
from tests.support.phase_phantoms import OBLIQUE, acquire, ball, positions

TIMES_S = (0.005, 0.010, 0.015, 0.020, 0.025)


@pytest.fixture(scope="module")
def echoes():
    x, y, z = positions(OBLIQUE)
    return acquire(field_ppm=0.03 * x * y + 0.05 * z, echo_times_s=TIMES_S, noise=0.01)


def with_phases(echoes, *added_rad):
    phase = np.stack([p + a for p, a in zip(echoes.phase_rad, added_rad, strict=True)])
    return replace(echoes, phase_rad=np.angle(np.exp(1j * phase)).astype(np.float32))


def bent_ppb(before, after, mask):
    """Return the RMS change of the field, a constant and a slope apart: no susceptibility makes them."""
    places = np.stack([np.ones(mask.sum()), *(p[mask] for p in positions(OBLIQUE))], axis=1)
    change = (after.field_ppm - before.field_ppm)[mask] * 1e3
    return float(np.sqrt(np.mean((change - places @ np.linalg.lstsq(places, change, rcond=None)[0]) ** 2)))


def test_constants_of_single_echoes_change_nothing(echoes):
    mask = ball()
    result = total_field(with_phases(echoes, 0.3, -2.0, 1.4, 0.9, 0.2), mask=mask)
    assert bent_ppb(total_field(echoes, mask=mask), result, mask) < 1.0
    assert result.figures["uneven_echoes_rad"] > 0.5
    assert result.figures["linear_fit_residual_median_rad"] < 0.05
    assert any("does not grow evenly" in w for w in result.warnings)


def test_ramps_of_single_echoes_bend_nothing(echoes):
    mask, x = ball(), positions(OBLIQUE)[0]
    result = total_field(with_phases(echoes, 0 * x, 1.2 * x, -0.8 * x, 2.0 * x, 0.5 * x), mask=mask)
    assert bent_ppb(total_field(echoes, mask=mask), result, mask) < 1.0
    assert result.figures["linear_fit_residual_median_rad"] < 0.05


def test_even_echoes_raise_no_alarm(echoes):
    result = total_field(echoes, mask=ball())
    assert result.figures["uneven_echoes_rad"] < 0.02
    assert not any("evenly" in w for w in result.warnings)


def test_phase_of_another_run_scatters_the_intercept(echoes):
    """Phases that do not belong together have no smooth intercept, and a figure says so."""
    good = total_field(echoes, mask=ball()).figures["intercept_scatter_over_noise"]
    rng = np.random.default_rng(1)
    wild = with_phases(echoes, *rng.normal(0, 0.3, (5, *OBLIQUE.shape)))
    assert 0.5 < good < 2
    assert total_field(wild, mask=ball()).figures["intercept_scatter_over_noise"] > 3 * good
