"""A smooth phase that all echoes share must not move the field, whatever its shape."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from recon.field.fit import FieldFit
from recon.field.offsets.intercept import smoothing_mm, voxel_intercepts
from recon.field.offsets.mcpc3ds import Offsets
from recon.field.total import fit_phase, rad_per_s_of_one_ppm
from recon.lab.simulation.draw.cases import draw_case
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.scan import simulate_scan
from recon.masking.head import head_mask
from recon.types import GradientEcho, Grid

ECHO_TIMES_S = (0.004, 0.010, 0.016, 0.022, 0.028)
DIRECTION = np.array([0.5, 0.7, 0.5]) / np.linalg.norm([0.5, 0.7, 0.5])


@pytest.fixture(scope="module")
def scan():
    """Five echoes of a head at 3 T with an SNR of 60, in voxels of 1.8 x 1.8 x 2.2 mm."""
    subject = draw_case("healthy", generator(Purpose.TUNING, 7))
    plan = replace(subject.scan, echo_times_s=ECHO_TIMES_S, snr=60.0)
    return simulate_scan(replace(subject, scan=replace(plan, shape=(88, 106, 72), voxel_size_mm=(1.8, 1.8, 2.2))))


def positions_mm(grid):
    axes = [(np.arange(n) - (n - 1) / 2) * d for n, d in zip(grid.shape, grid.voxel_size_mm, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def field_ppm(scan, *added_rad):
    """Return the field after phases were added: the same to all echoes, or one to odd and another to even ones."""
    echoes = scan.echoes
    phase = np.stack([p + added_rad[e % len(added_rad)] for e, p in enumerate(echoes.phase_rad)])
    moved = replace(echoes, phase_rad=np.angle(np.exp(1j * phase)).astype(np.float32))
    head = head_mask(echoes.magnitude[0]) | scan.brain
    return fit_phase(moved, head, core=scan.brain).fit.field_rad_per_s / rad_per_s_of_one_ppm(echoes.b0_tesla)


@pytest.fixture(scope="module")
def as_it_is(scan):
    return field_ppm(scan, np.float32(0))


def change_ppb(scan, before_ppm, after_ppm):
    """Return the RMS change of the field in the brain less 4 mm, a constant apart, which no susceptibility makes."""
    inside = ndimage.distance_transform_edt(scan.brain, sampling=scan.echoes.grid.voxel_size_mm) > 4
    change = (after_ppm - before_ppm)[inside] * 1e3
    return float(np.sqrt(np.mean((change - np.median(change)) ** 2)))


def wave_rad(grid, wavelength_mm):
    along = sum(c * p for c, p in zip(DIRECTION, positions_mm(grid), strict=True))
    return np.cos(2 * np.pi * along / wavelength_mm + 1)


@pytest.mark.parametrize(("wavelength_mm", "most_ppb"), [(25, 3.0), (40, 3.0), (60, 1.0), (120, 1.0)])
def test_a_wave_of_one_radian_hardly_moves_the_field(scan, as_it_is, wavelength_mm, most_ppb):
    moved = field_ppm(scan, wave_rad(scan.echoes.grid, wavelength_mm))
    assert change_ppb(scan, as_it_is, moved) < most_ppb


def test_slopes_and_parabolas_do_not_move_the_field(scan, as_it_is):
    x, y, z = positions_mm(scan.echoes.grid)
    assert change_ppb(scan, as_it_is, field_ppm(scan, 0.03 * x + 0.02 * z)) < 0.1
    assert change_ppb(scan, as_it_is, field_ppm(scan, 1e-3 * (x**2 + y**2 + z**2))) < 0.3


def test_odd_and_even_echoes_may_have_waves_of_their_own(scan, as_it_is):
    ramp = positions_mm(scan.echoes.grid)[0] / 40
    odd, even = 0.3 * wave_rad(scan.echoes.grid, 60) + ramp, 0.2 * wave_rad(scan.echoes.grid, 90) - ramp
    assert change_ppb(scan, as_it_is, field_ppm(scan, odd, even)) < 0.5


def test_the_field_is_no_noisier_than_the_echoes_make_it(scan, as_it_is):
    inside = ndimage.binary_erosion(scan.brain, iterations=3)
    error = (as_it_is - scan.field_ppm)[inside] * 1e3
    assert 1.4826 * np.median(np.abs(error - np.median(error))) < 1.5


GRID = Grid(shape=(12, 10, 7), voxel_size_mm=(1.0, 1.5, 3.0), b0_direction=(0.0, 0.6, 0.8))


@pytest.mark.parametrize("parities", [1, 2])
def test_the_intercept_of_a_voxel_is_exact_without_noise(parities):
    rng = np.random.default_rng(4)
    true = rng.uniform(-0.5, 0.5, (parities, *GRID.shape)).astype(np.float32)
    field = rng.uniform(-80, 80, GRID.shape).astype(np.float32)
    times = np.float32(ECHO_TIMES_S)
    magnitude = rng.uniform(0.5, 2, (5, *GRID.shape)).astype(np.float32)
    phase = np.stack([field * t + true[e % parities] for e, t in enumerate(times)])
    weights = magnitude**2
    # The fit through the origin that the intercepts have moved.
    moved = np.einsum("e...,e,e...->...", weights, times, phase) / np.einsum("e...,e,e->...", weights, times, times)
    wrapped = np.angle(np.exp(1j * phase)).astype(np.float32)
    echoes = GradientEcho(magnitude=magnitude, phase_rad=wrapped, echo_times_s=ECHO_TIMES_S, b0_tesla=3.0, grid=GRID)
    zero = np.zeros(GRID.shape, np.float32)
    fit = FieldFit(
        field_rad_per_s=moved.astype(np.float32),
        residual_rad=zero,
        information=zero,
        dephasing_rad_per_s=zero,
        spread_hz=zero,
        refitted_percent=0,
    )
    offsets = Offsets(odd_rad=zero, even_rad=zero, template_rad=zero)
    inside = np.ones(GRID.shape, bool)
    found, weight, gain = voxel_intercepts(echoes, fit, offsets, inside, parities, np.float32(0))
    assert (weight > 0).all()
    assert gain > 1
    np.testing.assert_allclose(found, true, atol=2e-4)


def test_coarse_voxels_and_short_echo_trains_are_smoothed_more():
    coarse = replace(GRID, voxel_size_mm=(3.0, 3.0, 3.0))
    assert smoothing_mm(1.0, GRID) == 3.0 < smoothing_mm(9.0, coarse) < smoothing_mm(18.0, coarse)
