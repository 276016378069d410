"""Which voxels are reliable, and which voids are open to the outside."""

import numpy as np
import pytest

from recon.field.reliability import reliability
from recon.operators.lbv import interior
from recon.types import Grid

SHAPE, SIZE_MM = (64, 56, 36), (1.0, 1.1, 1.8)
TURN_PPM = 0.39
GRID = Grid(shape=SHAPE, voxel_size_mm=SIZE_MM, b0_direction=(0.0, 0.6, 0.8))


def reliable_voxels(noise_ppm, mask, ppm_per_2pi=None):
    return reliability(noise_ppm, mask, GRID, ppm_per_2pi)[0]


def closed(mask, noise_ppm):
    return reliability(noise_ppm, mask, GRID)[1]


def axes_mm():
    return np.meshgrid(*((np.arange(n) - n / 2) * s for n, s in zip(SHAPE, SIZE_MM, strict=True)), indexing="ij")


@pytest.fixture(scope="module")
def voids():
    x, y, z = axes_mm()
    mask = (x / 24) ** 2 + (y / 22) ** 2 + (z / 24) ** 2 < 1
    deep = (x - 5) ** 2 + y**2 + z**2 < 6**2
    at_the_surface = ((x / 24) ** 2 + (y / 22) ** 2 + (z / 24) ** 2 > 0.78) & (x < -14)
    return mask, deep & mask, at_the_surface & mask


def noise_of(void):
    return np.where(void, 0.5, 0.003).astype(np.float32)


def test_a_dropout_at_the_surface_is_taken_out_and_a_deep_void_stays(voids):
    mask, deep, at_the_surface = voids
    noise = noise_of(deep | at_the_surface)
    left = closed(mask, noise)
    np.testing.assert_array_equal(left, mask & ~at_the_surface)
    np.testing.assert_array_equal(closed(left, noise), left)


def test_a_bleed_with_a_window_to_the_outside_stays(voids):
    mask = voids[0]
    x, y, z = axes_mm()
    bleed = ((x + 15) ** 2 + (y - 1) ** 2 + z**2 < 9**2) & mask
    assert (bleed & ~interior(mask)).any()
    np.testing.assert_array_equal(closed(mask, noise_of(bleed)), mask)


def test_a_thick_void_stays_however_wide_its_window(voids):
    mask = voids[0] & (axes_mm()[0] < 8)
    x, y, z = axes_mm()
    bleed = (np.abs(x - 4) < 5) & (np.abs(y) < 5) & (np.abs(z) < 6) & mask
    cap = (np.abs(x - 7) < 2) & (np.abs(y) < 9) & (np.abs(z) < 9) & mask
    np.testing.assert_array_equal(closed(mask, noise_of(bleed)), mask)
    np.testing.assert_array_equal(closed(mask, noise_of(cap)), mask & ~cap)


def test_scattered_noise_inside_stays(voids):
    mask = voids[0]
    scattered = (np.random.default_rng(2).random(mask.shape) < 0.05) & interior(interior(mask))
    np.testing.assert_array_equal(closed(mask, noise_of(scattered)), mask)
    np.testing.assert_array_equal(closed(mask, noise_of(np.zeros_like(mask))), mask)


def test_signal_that_fades_at_the_surface_is_reliable_and_opens_nothing(voids):
    mask, _, at_the_surface = voids
    noise = np.where(at_the_surface, 0.03, 0.003).astype(np.float32)
    np.testing.assert_array_equal(reliable_voxels(noise, mask, TURN_PPM), mask)
    np.testing.assert_array_equal(closed(mask, noise), mask)


def test_an_empty_mask_is_no_error(voids):
    nothing = np.zeros_like(voids[0])
    assert not closed(nothing, noise_of(nothing)).any()


def test_the_faces_of_the_volume_open_nothing():
    mask = np.ones((12, 10, 8), dtype=np.bool_)
    void = np.zeros_like(mask)
    void[:3, :3, :3] = True
    np.testing.assert_array_equal(closed(mask, noise_of(void)), mask)


@pytest.mark.parametrize(
    ("median_ppm", "void_ppm", "kept"),
    [
        (0.002, 0.016, True),  # eight times the median, but a good field all the same
        (0.002, 0.02, False),
        (0.010, 0.02, True),
        (0.010, 0.04, False),
        (0.040, 0.045, True),  # noise everywhere: what the brain has is what there is
        (0.040, 0.06, False),
    ],
)
def test_a_void_stands_out_from_the_noise_of_the_brain(voids, median_ppm, void_ppm, kept):
    mask, deep, _ = voids
    noise = np.where(deep, void_ppm, median_ppm).astype(np.float32)
    reliable = reliable_voxels(noise, mask, TURN_PPM)
    np.testing.assert_array_equal(reliable, mask if kept else mask & ~deep)


@pytest.mark.parametrize(
    ("ppm_per_2pi", "void_ppm", "kept"),
    [
        (0.11, 0.007, False),  # 7 T, 30 ms
        (0.11, 0.004, True),
        (0.65, 0.025, True),  # 3 T, 12 ms
        (0.65, 0.035, False),
        (2.0, 0.045, True),
        (2.0, 0.055, False),
        (None, 0.045, True),  # several echoes
        (None, 0.055, False),
    ],
)
def test_what_a_turn_is_worth_decides_what_is_doubted(voids, ppm_per_2pi, void_ppm, kept):
    mask, deep, _ = voids
    noise = np.where(deep, void_ppm, 0.001).astype(np.float32)
    np.testing.assert_array_equal(reliable_voxels(noise, mask, ppm_per_2pi), mask if kept else mask & ~deep)


def test_voxels_outside_the_mask_neither_count_nor_are_reliable(voids):
    mask, deep, _ = voids
    noise = np.where(mask, np.where(deep, 0.03, 0.004), 7.0).astype(np.float32)
    np.testing.assert_array_equal(reliable_voxels(noise, mask, TURN_PPM), mask & ~deep)
    assert not reliable_voxels(noise, np.zeros_like(mask)).any()


@pytest.mark.parametrize(("ppm_per_2pi", "believed"), [(TURN_PPM, False), (None, True)])
def test_an_island_of_good_phase_in_a_void_of_a_single_echo_is_not_believed(voids, ppm_per_2pi, believed):
    """Its turn has not been seen, not even where lone voxels make a bridge."""
    mask = voids[0]
    x, y, z = axes_mm()
    r = np.sqrt((x - 5) ** 2 + y**2 + z**2)
    bridge = (np.abs(y) < 0.6) & (np.abs(z) < 1) & (x > 5)
    shell, inside = (r < 10) & (r > 6.5) & ~bridge, r < 5
    reliable = reliable_voxels(np.where(shell, 0.5, 0.003).astype(np.float32), mask, ppm_per_2pi)
    assert (bridge & (r < 10) & (r > 6.5)).any()
    assert reliable[inside].all() == believed
    assert reliable[inside].any() == believed
    assert reliable[mask & (r > 11)].all()


def test_what_a_broad_way_leads_to_is_no_island(voids):
    mask = voids[0]
    x, y, z = axes_mm()
    r = np.sqrt((x - 5) ** 2 + y**2 + z**2)
    shell = (r < 10) & (r > 6.5) & ~((x > 5) & (np.abs(y) < 4) & (np.abs(z) < 6))
    reliable = reliable_voxels(np.where(shell, 0.5, 0.003).astype(np.float32), mask, TURN_PPM)
    assert reliable[mask & ~shell].all()
