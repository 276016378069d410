from dataclasses import replace

import numpy as np
import pytest

from recon.field.ghosts import ghost_percent
from recon.types import GradientEcho, Grid
from tests.support.phase_phantoms import positions

GRID = Grid(shape=(90, 100, 60), voxel_size_mm=(2.6, 2.2, 3.0), b0_direction=(0.1, -0.05, 0.9937))


@pytest.fixture
def scan():
    """A ball of brain in a shell of scalp, in noise, with room beside it."""
    x, y, z = positions(GRID)
    radius = np.sqrt(x**2 + y**2 + z**2)
    brain = radius < 0.45
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.03, (2, *GRID.shape))
    signal = (radius < 0.55) * 1.0 + noise[0] + 1j * noise[1]
    return signal, brain


def echoes_of(signal):
    magnitude = np.abs(signal).astype(np.float32)[None]
    return GradientEcho(
        magnitude=magnitude, phase_rad=np.zeros_like(magnitude), echo_times_s=(0.02,), b0_tesla=3.0, grid=GRID
    )


def test_noise_is_not_a_ghost(scan):
    signal, brain = scan
    assert ghost_percent(echoes_of(signal), brain) < 1


@pytest.mark.parametrize("axis", [0, 1])
def test_a_ghost_along_either_axis_across_b0_is_measured(scan, axis):
    signal, brain = scan
    ghost = 0.3 * np.roll(signal, GRID.shape[axis] // 2, axis)
    assert ghost_percent(echoes_of(signal + ghost), brain) == pytest.approx(27, abs=6)


def test_tissue_along_b0_is_not_a_ghost(scan):
    signal, brain = scan
    neck = 0.8 * np.roll(signal, GRID.shape[2] // 2, 2)
    assert ghost_percent(echoes_of(signal + neck), brain) < 2


def test_without_air_beside_the_head_nothing_is_said(scan):
    signal, brain = scan
    tight = (slice(26, -26), slice(28, -28), slice(14, -14))
    echoes = echoes_of(signal)
    cut = replace(
        echoes,
        magnitude=np.ascontiguousarray(echoes.magnitude[(slice(None), *tight)]),
        phase_rad=np.ascontiguousarray(echoes.phase_rad[(slice(None), *tight)]),
        grid=replace(GRID, shape=brain[tight].shape),
    )
    assert ghost_percent(cut, brain[tight]) is None
