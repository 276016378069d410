"""The projection is a minimum, over slabs of 8 to 10 mm where the slices allow it."""

import dataclasses

import numpy as np
import pytest

from recon.products.contrasts.projection import minimum_projection, slab_minimum, slab_slices
from recon.products.contrasts.weighted import swi
from tests.support.small_result import small_result


def test_it_is_never_above_the_image():
    scan, result = small_result()
    image, projected = swi(scan.echoes, result).volume, minimum_projection(scan.echoes, result)
    assert (projected.volume <= image)[scan.brain].all()
    assert not projected.volume[~result.total_field.mask].any()
    assert 8 <= projected.parameters["slab_mm"] <= 10


def test_a_dark_spot_is_seen_through_its_slab_and_nowhere_else():
    volume = np.full((4, 3, 21), 5.0, np.float32)
    volume[1, 2, 10] = 1.0
    projected = slab_minimum(volume, np.ones(volume.shape, bool), 9)
    assert np.flatnonzero(projected[1, 2] == 1).tolist() == list(range(6, 15))
    assert (projected == 1).sum() == 9


def test_what_is_outside_the_mask_does_not_darken():
    volume = np.full((3, 3, 9), 5.0, np.float32)
    volume[:, :, 0] = 0
    mask = volume > 0
    assert (slab_minimum(volume, mask, 5)[mask] == 5).all()


@pytest.mark.parametrize(("spacing", "count"), [(1.0, 9), (2.0, 5), (3.0, 3), (1.5, 6), (0.7, 13), (9.5, 1), (20.0, 1)])
def test_slabs_are_8_to_10_mm_and_odd_where_that_fits(spacing, count):
    assert slab_slices(spacing) == count


def test_a_single_slice_is_said():
    scan, result = small_result()
    thick = dataclasses.replace(scan.echoes, grid=dataclasses.replace(scan.echoes.grid, voxel_size_mm=(1.0, 1.2, 20.0)))
    made = minimum_projection(thick, result)
    assert made.parameters["slab_slices"] == 1
    assert "nothing was projected" in made.warnings[-1]
