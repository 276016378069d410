import math
from types import SimpleNamespace

import numpy as np
import pytest

from dicom_io.synthetic.sphere import CHI_PPM, GRID, measure_sphere, sphere_echoes
from recon.types import GAMMA_HZ_PER_TESLA


def images(chi_ppb):
    """Return a map as images, the last slice first."""
    for z in reversed(range(GRID.shape[2])):
        yield SimpleNamespace(
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 0, 3.4 * z],
            RescaleSlope="2",
            RescaleIntercept="10",
            pixel_array=((chi_ppb[:, :, z].T - 10) / 2),
        )


def true_map():
    axes = [(np.arange(n) - (n - 1) / 2) * size for n, size in zip(GRID.shape, GRID.voxel_size_mm, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return 1000 * CHI_PPM * ((x - 6) ** 2 + (y + 8) ** 2 + (z - 4) ** 2 < 16**2) - 40.0


def test_the_true_map_measures_its_true_value_in_any_order_of_images():
    found = measure_sphere(list(images(true_map())))
    assert found.measured_ppb == pytest.approx(found.expected_ppb) == 1000 * CHI_PPM
    halved = measure_sphere(list(images(true_map() / 2)))
    assert halved.measured_ppb == pytest.approx(found.expected_ppb / 2)


def test_the_field_above_the_sphere_is_the_dipole_s():
    echoes = sphere_echoes()
    turn = np.exp(1j * (echoes.phase_rad[1].astype(float) - echoes.phase_rad[0]))
    seconds = echoes.echo_times_s[1] - echoes.echo_times_s[0]
    x, y, z = (
        round((n - 1) / 2 + c / size) for n, c, size in zip(GRID.shape, (6, -8, 4), GRID.voxel_size_mm, strict=True)
    )
    column = np.unwrap(np.angle(turn[x, y, z : z + 13])) / (2 * math.pi * GAMMA_HZ_PER_TESLA * 3e-6 * seconds)
    heights = (np.arange(z, z + 13) - (GRID.shape[2] - 1) / 2) * 3.4
    x_mm, y_mm = ((i - (n - 1) / 2) * s for i, n, s in zip((x, y), GRID.shape, GRID.voxel_size_mm, strict=False))
    across2 = (x_mm - 6) ** 2 + (y_mm + 8) ** 2
    distance2 = across2 + (heights - 4) ** 2
    u, v, w = x_mm / 72, y_mm / 72, heights / 72
    background = 0.8 * (w**2 - (u**2 + v**2) / 2) + 0.5 * u * w + 0.4 * v * (v**2 - 3 * u**2)
    dipole = CHI_PPM / 3 * (16**2 / distance2) ** 1.5 * (3 * (heights - 4) ** 2 / distance2 - 1)
    outside = distance2 > 18**2
    np.testing.assert_allclose((column - background)[outside], dipole[outside], atol=0.02)
    inside = distance2 < 14**2
    np.testing.assert_allclose((column - background)[inside], 0, atol=0.02)
