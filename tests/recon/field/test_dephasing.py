"""Steep fields: echoes that have dephased count less, and the stated noise says what they leave."""

from dataclasses import replace

import numpy as np
import pytest

from recon.field.dephasing import echo_weight, field_spread_hz
from recon.field.total import total_field
from recon.lab.simulation.draw.cases import draw_case
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.scan import simulate_scan
from tests.support.phase_phantoms import OBLIQUE, positions


def test_the_spread_of_a_linear_field_is_its_step_per_voxel():
    x, y, z = positions(OBLIQUE)
    field = (300 * x - 200 * y + 100 * z).astype(np.float32)
    spread = field_spread_hz(field, np.ones(field.shape, bool))
    steps = [np.abs(np.diff(field, axis=a)).mean() for a in range(3)]
    np.testing.assert_allclose(spread, np.sqrt(sum(s**2 for s in steps)) / (2 * np.pi), rtol=1e-4)


def test_the_spread_ignores_what_lies_outside_the_mask():
    field = np.zeros((5, 6, 7), np.float32)
    field[3] = 1e6
    mask = np.ones(field.shape, bool)
    mask[3] = False
    assert not field_spread_hz(field, mask).any()


def test_an_echo_counts_by_noise_until_it_dephases():
    magnitude, time = np.float32(2.0), np.float32(0.02)
    assert echo_weight(magnitude, time, np.float32(0), np.float32(30)) == 4.0
    weights = [echo_weight(magnitude, time, np.float32(hz), np.float32(30)) for hz in (1, 10, 30, 100)]
    assert weights == sorted(weights, reverse=True)
    # One turn: the phase error of dephasing is 30 times the noise of a magnitude of one.
    assert echo_weight(magnitude, time, np.float32(50), np.float32(30)) == pytest.approx(1 / (1 / 4 + 30**2))


@pytest.fixture(scope="module")
def bleeds():
    """Five echoes at 3 T of a head with bleeds, each voxel of 2 mm the sum of eight."""
    subject = draw_case("lesion", generator(Purpose.TUNING, 45), voxel_size_mm=2.0)
    scan = replace(subject.scan, echo_times_s=(0.004, 0.010, 0.016, 0.022, 0.028), snr=60.0, oversample=(2, 2, 2))
    return simulate_scan(replace(subject, scan=scan))


def test_errors_beside_strong_sources_are_as_large_as_stated(bleeds):
    total = total_field(bleeds.echoes, mask=bleeds.brain)
    error = (total.field_ppm - bleeds.field_ppm)[bleeds.brain]
    error -= np.median(error)
    noise = total.noise_ppm[bleeds.brain]
    within = np.abs(error) < 2 * noise
    assert within.mean() > 0.93
    # Where dephasing makes most of the noise, too: 0.93 of 2500 voxels have a standard error of 0.005.
    steep = noise > 5 * np.median(noise)
    assert steep.sum() > 500
    assert within[steep].mean() > 0.9
    assert 100 * np.mean(np.abs(error) > 0.05) < 0.2
