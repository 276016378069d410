"""What the scanner measures: the short way to the fitted field gives what a fit of the complex echoes gives."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.lab.simulation.draw.cases import draw_case
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.field import head_field, shim
from recon.lab.simulation.signal import average, fitted_field_ppm, measure
from recon.lab.simulation.template import load_template
from recon.types import GAMMA_HZ_PER_TESLA


@pytest.fixture(scope="module")
def thick():
    """A lesion head whose slices hold three subvoxels each, without noise or receive phase."""
    drawn = draw_case("lesion", generator(Purpose.TUNING, 31), voxel_size_mm=3.0)
    scan = replace(
        drawn.scan,
        shape=(56, 64, 24),
        voxel_size_mm=(3.0, 3.0, 6.0),
        oversample=(1, 1, 3),
        offset_rad=(0.0,) * 5,
        snr=math.inf,
        echo_times_s=(0.004, 0.009, 0.015),
    )
    made = head_field(drawn.head, scan, load_template())
    # Fat's own shift is not part of the field.
    volumes = replace(made.volumes, fat=torch.zeros_like(made.volumes.fat))
    field = shim(made.field_ppm, volumes.brain, made.lattice.spacing_mm, scan.shim_residual)
    return replace(made, volumes=volumes), field, scan


def test_the_fitted_field_is_that_of_a_weighted_fit_of_the_echoes(thick):
    made, field, scan = thick
    echoes = measure(made, field, scan).numpy()
    middle = average(field, scan.oversample).numpy()
    weighted, information = np.zeros_like(middle), np.zeros_like(middle)
    for echo, time_s in zip(echoes, scan.echo_times_s, strict=True):
        rad_per_ppm = 2 * np.pi * GAMMA_HZ_PER_TESLA * scan.b0_tesla * 1e-6 * time_s
        left = np.angle(echo * np.exp(-1j * rad_per_ppm * middle)) / rad_per_ppm
        weighted += (np.abs(echo) * time_s) ** 2 * left
        information += (np.abs(echo) * time_s) ** 2
    inside = average(made.volumes.brain.float(), scan.oversample).numpy() > 0.99
    fitted, _ = fitted_field_ppm(made, field, scan)
    expected = middle[inside] + weighted[inside] / information[inside]
    np.testing.assert_allclose(fitted.numpy()[inside], expected, atol=2e-4)
    assert np.abs(fitted.numpy() - middle)[inside].max() > 5e-3  # gradients in a slice move the fit


def test_noise_follows_the_ratio_of_signal_to_noise_and_saturates(thick):
    made, field, scan = thick
    inside = average(made.volumes.brain.float(), scan.oversample) > 0.99
    _, low = fitted_field_ppm(made, field, replace(scan, snr=20.0))
    _, high = fitted_field_ppm(made, field, replace(scan, snr=80.0))
    ppm_per_2pi = 1.0 / (GAMMA_HZ_PER_TESLA * scan.b0_tesla * 1e-6 * scan.echo_times_s[-1])
    limit = ppm_per_2pi / math.sqrt(12.0)
    free = inside & (low < limit)
    torch.testing.assert_close(low[free], 4.0 * high[free], rtol=1e-4, atol=0)
    assert float(low.max()) == pytest.approx(limit)  # air


def test_what_a_slice_dephases_is_noisier_than_its_subvoxels_are(thick):
    made, field, scan = thick
    brain = average(made.volumes.brain.float(), scan.oversample) > 0.99
    _, whole = fitted_field_ppm(made, field, replace(scan, snr=80.0))
    _, calm = fitted_field_ppm(made, torch.zeros_like(field), replace(scan, snr=80.0))
    assert bool((whole[brain] >= 0.999 * calm[brain]).all())
    assert float((whole[brain] > 1.2 * calm[brain]).float().mean()) > 0.02
