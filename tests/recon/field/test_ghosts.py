from dataclasses import replace

import numpy as np
import pytest
from scipy import fft, ndimage

from recon.field.ghosts import ghost_field_ppb
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho, Grid
from tests.support.phase_phantoms import positions

GRID = Grid(shape=(60, 70, 41), voxel_size_mm=(4.0, 3.4, 4.5), b0_direction=(0.1, -0.05, 0.9937))
ECHO_TIME_S = 0.02
RADIANS_PER_PPB = 2e-9 * np.pi * GAMMA_HZ_PER_TESLA * 3.0 * ECHO_TIME_S


@pytest.fixture(scope="module")
def scan():
    """A ball of brain in a shell of scalp, of uneven phase, in noise, with room beside it."""
    x, y, z = positions(GRID)
    radius = np.sqrt(x**2 + y**2 + z**2)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.03, (2, *GRID.shape))
    uneven = ndimage.gaussian_filter(rng.standard_normal(GRID.shape), 3)
    signal = (radius < 0.55) * np.exp(3j * uneven / uneven.std()) + noise[0] + 1j * noise[1]
    return signal, radius < 0.45


def echoes_of(signal, grid=GRID):
    magnitude, phase = np.abs(signal).astype(np.float32)[None], np.angle(signal).astype(np.float32)[None]
    return GradientEcho(magnitude=magnitude, phase_rad=phase, echo_times_s=(ECHO_TIME_S,), b0_tesla=3.0, grid=grid)


def breathed(signal, axis, amplitude_ppb, cycles_per_line):
    """Let the field follow the breath, line by line along an axis, and partition by partition within each."""
    count, partitions = signal.shape[axis], signal.shape[2]
    lines = fft.fftshift(fft.fft2(signal, axes=(axis, 2)), axes=(axis, 2))
    breath = np.sin(2 * np.pi * cycles_per_line * (np.arange(count)[:, None] + np.arange(partitions) / partitions))
    breath = np.expand_dims(breath, 1 - axis)
    lines = lines * np.exp(1j * amplitude_ppb * RADIANS_PER_PPB * breath)
    return fft.ifft2(fft.ifftshift(lines, axes=(axis, 2)), axes=(axis, 2))


def test_noise_is_not_a_ghost(scan):
    signal, brain = scan
    assert ghost_field_ppb(echoes_of(signal), brain) < 1


@pytest.mark.parametrize(("axis", "cycles_per_line"), [(0, 0.36), (1, 0.41), (1, 0.66)])
@pytest.mark.parametrize("amplitude_ppb", [8.0, 24.0])
def test_what_makes_the_ghosts_is_measured_wherever_they_lie(scan, axis, cycles_per_line, amplitude_ppb):
    signal, brain = scan
    found = ghost_field_ppb(echoes_of(breathed(signal, axis, amplitude_ppb, cycles_per_line)), brain)
    assert found == pytest.approx(amplitude_ppb, rel=0.25)


def test_ghosts_by_half_a_field_of_view_are_measured(scan):
    signal, brain = scan
    ghost = 0.3 * np.roll(signal, GRID.shape[1] // 2, 1)
    assert ghost_field_ppb(echoes_of(signal + ghost), brain) > 22


def test_bright_tissue_on_one_side_is_not_a_ghost(scan):
    signal, brain = scan
    face = np.where(positions(GRID)[1] > 0, 0.8 * np.roll(signal, round(0.4 * GRID.shape[1]), 1), 0)
    assert ghost_field_ppb(echoes_of(signal + face), brain) < 3


def test_tissue_along_b0_is_not_a_ghost(scan):
    signal, brain = scan
    neck = 0.8 * np.roll(signal, GRID.shape[2] // 2, 2)
    assert ghost_field_ppb(echoes_of(signal + neck), brain) < 2


def test_without_air_beside_the_head_nothing_is_said(scan):
    signal, brain = scan
    tight = (slice(19, -19), slice(22, -22), slice(12, -12))
    cut = echoes_of(np.ascontiguousarray(signal[tight]), replace(GRID, shape=brain[tight].shape))
    assert ghost_field_ppb(cut, brain[tight]) is None


def test_without_a_brain_nothing_is_said(scan):
    signal, brain = scan
    assert ghost_field_ppb(echoes_of(signal), np.zeros_like(brain)) is None
