"""Which voxels are trusted, and which voids are open to the outside."""

import numpy as np
import pytest

from recon.harmonic import interior
from recon.trust import trusted_voxels, without_open_voids

SHAPE, SIZE_MM = (64, 56, 36), (1.0, 1.1, 1.8)


def axes_mm():
    return np.meshgrid(*((np.arange(n) - n / 2) * s for n, s in zip(SHAPE, SIZE_MM, strict=True)), indexing="ij")


@pytest.fixture(scope="module")
def voids():
    x, y, z = axes_mm()
    mask = (x / 24) ** 2 + (y / 22) ** 2 + (z / 24) ** 2 < 1
    deep = (x - 5) ** 2 + y**2 + z**2 < 6**2
    at_the_surface = (x + 20) ** 2 + (y - 3) ** 2 + z**2 < 7**2
    return mask, deep & mask, at_the_surface & mask


def test_a_void_at_the_surface_is_taken_out_and_a_deep_one_stays(voids):
    mask, deep, at_the_surface = voids
    closed = without_open_voids(mask, ~(deep | at_the_surface))
    np.testing.assert_array_equal(closed, mask & ~at_the_surface)
    np.testing.assert_array_equal(without_open_voids(closed, ~(deep | at_the_surface)), closed)


def test_a_deep_void_with_a_way_out_goes_as_a_whole(voids):
    mask, deep, at_the_surface = voids
    x, y, z = axes_mm()
    passage = (np.abs(y) < 2) & (np.abs(z) < 2) & (x > -20) & (x < 5) & mask
    closed = without_open_voids(mask, ~(deep | at_the_surface | passage))
    np.testing.assert_array_equal(closed, mask & ~(deep | at_the_surface | passage))


def test_scattered_noise_inside_stays(voids):
    mask = voids[0]
    scattered = np.random.default_rng(2).random(mask.shape) < 0.05
    inner = interior(interior(mask))
    closed = without_open_voids(mask, ~(scattered & inner))
    np.testing.assert_array_equal(closed, mask)
    assert without_open_voids(mask, np.ones_like(mask)) is mask


@pytest.mark.parametrize("nothing", [True, False])
def test_nothing_trusted_and_nothing_masked_are_no_error(voids, nothing):
    mask = np.zeros_like(voids[0]) if nothing else voids[0]
    assert not without_open_voids(mask, np.zeros_like(mask)).any()


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
    trusted = trusted_voxels(noise, mask)
    np.testing.assert_array_equal(trusted, mask if kept else mask & ~deep)


def test_voxels_outside_the_mask_neither_count_nor_are_trusted(voids):
    mask, deep, _ = voids
    noise = np.where(mask, np.where(deep, 0.03, 0.004), 7.0).astype(np.float32)
    np.testing.assert_array_equal(trusted_voxels(noise, mask), mask & ~deep)
    assert not trusted_voxels(noise, np.zeros_like(mask)).any()
