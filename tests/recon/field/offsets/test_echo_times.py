"""Stated echo times against the phase, by the field's fine structure."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from recon.field.offsets.echo_times import echo_time_error_ms
from recon.field.total import total_field
from recon.types import Grid
from tests.support.phase_phantoms import acquire, ball, smooth_field_ppm

GRID = Grid(shape=(44, 60, 40), voxel_size_mm=(2.5, 2.0, 3.0), b0_direction=(0.28, -0.1, 0.9548))
TIMES_S = (0.004, 0.010, 0.016, 0.022)


@pytest.fixture(scope="module")
def echoes():
    rng = np.random.default_rng(4)
    fine = ndimage.gaussian_filter(rng.standard_normal(GRID.shape), [3 / mm for mm in GRID.voxel_size_mm])
    field = smooth_field_ppm(GRID, 0.3) + 0.04 * fine / fine.std()
    return acquire(grid=GRID, field_ppm=field, echo_times_s=TIMES_S, noise=0.01)


@pytest.mark.parametrize("late_ms", [0.0, 1.5, 3.0, -2.0])
def test_echo_times_off_by_as_much_are_found(echoes, late_ms):
    stated = replace(echoes, echo_times_s=tuple(t - late_ms / 1e3 for t in TIMES_S))
    found = total_field(stated, mask=ball(GRID)).figures["echo_time_error_ms"]
    assert abs(late_ms) - 0.4 < found < abs(late_ms) + 0.1


@pytest.fixture(scope="module")
def structure():
    rng = np.random.default_rng(6)
    volume = ndimage.gaussian_filter(rng.standard_normal(GRID.shape), [3 / mm for mm in GRID.voxel_size_mm])
    return (10 * volume / volume.std()).astype(np.float32), ball(GRID)


def test_of_noise_little_is_left_as_an_error(structure):
    field, known = structure
    rng = np.random.default_rng(8)
    found = []
    for _ in range(12):
        noise = ndimage.gaussian_filter(rng.standard_normal(GRID.shape), 2).astype(np.float32)
        found.append(echo_time_error_ms(2 * noise / noise.std(), field, known, GRID))
    # The slope itself spreads by 11 ms, as a ball of 16 blocks tells little.
    assert np.median(found) == 0
    assert np.mean(found) < 2


def test_a_few_wild_cells_do_not_make_an_error(structure):
    field, known = structure
    wild = np.zeros_like(field)
    wild[20:25, 28:34, 18:22] = 40 * field[20:25, 28:34, 18:22] / 1e2
    assert echo_time_error_ms(wild, field, known, GRID) < 0.2
    assert echo_time_error_ms(0.003 * field + wild, field, known, GRID) == pytest.approx(3.0, abs=0.3)


def test_too_few_voxels_say_nothing():
    known = np.zeros(GRID.shape, bool)
    known[20:24, 20:24, 20:24] = True
    field = np.ones(GRID.shape, np.float32)
    assert echo_time_error_ms(field, field, known, GRID) is None


def test_an_exact_relation_is_an_error_and_a_field_of_nothing_says_nothing(structure):
    field, known = structure
    assert echo_time_error_ms(0.5 * field, field, known, GRID) == pytest.approx(500, rel=0.01)
    assert echo_time_error_ms(field, np.zeros_like(field), known, GRID) is None


def test_a_mask_of_few_blocks_says_nothing(structure):
    field, _ = structure
    known = np.zeros(GRID.shape, bool)
    known[10:24, 10:26, 8:18] = True  # 35 x 32 x 30 mm
    assert echo_time_error_ms(field, field, known, GRID) is None
