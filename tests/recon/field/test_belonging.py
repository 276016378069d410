from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from recon.field.belonging import belonging, coverage_mm, echo_shift_mm, magnitude_beside_phase, r2star_over_usual
from recon.types import Grid
from tests.support.phase_phantoms import OBLIQUE, SHAPE, acquire, ball, positions, smooth_field_ppm


@pytest.fixture(scope="module")
def echoes():
    """R2* is 25 per second; a second ball inside gives the magnitude more than one edge."""
    made = acquire(echo_times_s=(0.005, 0.015, 0.025, 0.035), noise=0.01)
    return replace(made, magnitude=made.magnitude * np.where(ball(radius=0.3), np.float32(0.6), np.float32(1)))


@pytest.fixture(scope="module")
def lopsided():
    """A ball without one of its eighths, in noise."""
    made = acquire(field_ppm=smooth_field_ppm(strength=0.05), echo_times_s=(0.005, 0.010), noise=0.02)
    x, y, z = positions()
    missing = (x > 0) & (y > -0.1) & (z > 0)
    noise = np.random.default_rng(2)
    magnitude = np.where(missing, np.float32(0.02), made.magnitude)
    phase = np.where(missing, noise.uniform(-np.pi, np.pi, made.phase_rad.shape).astype(np.float32), made.phase_rad)
    return replace(made, magnitude=magnitude, phase_rad=phase)


@pytest.mark.parametrize("shift_mm", [(0.0, 0.0, 0.0), (1.5, 0.0, 0.0), (0.0, -2.0, 1.0), (0.0, 0.0, 4.0)])
def test_an_echo_is_found_where_it_was_moved_to(echoes, shift_mm):
    moved = echoes.magnitude.copy()
    cells = [mm / size for mm, size in zip(shift_mm, OBLIQUE.voxel_size_mm, strict=True)]
    for later in (2, 3):
        moved[later] = ndimage.shift(moved[later], cells, order=1, mode="nearest")
    found = echo_shift_mm(replace(echoes, magnitude=moved))
    assert found == pytest.approx(float(np.linalg.norm(shift_mm)), abs=0.6)


def test_decay_without_motion_does_not_shift_an_echo(echoes):
    lit = np.linspace(0.5, 1.5, SHAPE[0], dtype=np.float32)[:, None, None]
    unlike = echoes.magnitude * np.stack([lit**p for p in (0, 0.3, 0.6, 1)])
    assert echo_shift_mm(replace(echoes, magnitude=unlike.astype(np.float32))) < 0.5


def test_halved_echo_times_double_the_decay(echoes):
    inside = ball(radius=0.5)
    usual_per_s = 8.4 + 3.6 * 3.0
    assert r2star_over_usual(echoes, inside) == pytest.approx(25 / usual_per_s, rel=0.05)
    halved = replace(echoes, echo_times_s=tuple(t / 2 for t in echoes.echo_times_s))
    assert r2star_over_usual(halved, inside) == pytest.approx(50 / usual_per_s, rel=0.05)


def test_a_thin_slab_covers_its_thickness_along_b0():
    grid = Grid(shape=(40, 50, 12), voxel_size_mm=(2.0, 2.0, 2.5), b0_direction=(0.0, 0.0, 1.0))
    box = np.zeros(grid.shape, bool)
    box[5:35, 5:45] = True
    assert coverage_mm(box, grid) == pytest.approx(30.0, rel=0.1)
    lying = replace(grid, b0_direction=(0.0, 1.0, 0.0))
    assert coverage_mm(box, lying) == pytest.approx(80.0, rel=0.1)


def test_a_single_echo_is_measured_by_its_coverage_alone(echoes):
    single = replace(
        echoes,
        magnitude=echoes.magnitude[:1],
        phase_rad=echoes.phase_rad[:1],
        echo_times_s=echoes.echo_times_s[:1],
    )
    always = {"coverage_along_b0_mm", "magnitude_phase_shift_mm", "mirrored_overlap_gain"}
    assert set(belonging(single, ball())) == always
    assert set(belonging(echoes, ball())) == {*always, "echo_shift_mm", "r2star_off_by_factor"}


def test_magnitude_and_phase_of_one_scan_lie_on_each_other(lopsided):
    shift_mm, gain = magnitude_beside_phase(lopsided)
    assert shift_mm < 3
    assert gain < -0.02


def test_the_magnitude_of_another_scan_lies_beside_the_phase(lopsided):
    moved = np.roll(lopsided.magnitude, 4, axis=2)
    shift_mm, _ = magnitude_beside_phase(replace(lopsided, magnitude=moved))
    assert shift_mm == pytest.approx(8.0, abs=3)


def test_a_part_without_coherent_phase_is_not_a_shift(lopsided):
    """As where a phantom's air bubble lets the phase turn too steeply: moved, the rest fits no better."""
    noise = np.random.default_rng(3).uniform(-np.pi, np.pi, lopsided.phase_rad.shape).astype(np.float32)
    phase = np.where(positions()[2] > -0.3, noise, lopsided.phase_rad)
    assert magnitude_beside_phase(replace(lopsided, phase_rad=phase))[0] < 3


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirrored_phase_fits_better_mirrored(lopsided, axis):
    mirrored = np.ascontiguousarray(np.flip(lopsided.phase_rad, 1 + axis))
    _, gain = magnitude_beside_phase(replace(lopsided, phase_rad=mirrored))
    assert gain > 0.02
