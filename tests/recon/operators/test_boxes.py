"""Cropping to the mask."""

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.operators.boxes import crop_grid, mask_box
from recon.types import Grid


def test_box_holds_the_mask_with_its_margin_inside_the_volume():
    mask = np.zeros((20, 30, 10), bool)
    mask[5:9, 2:4, 8:10] = True
    assert mask_box(mask, 3) == (slice(2, 12), slice(0, 7), slice(5, 10))
    assert mask_box(mask, (0, 30, 1)) == (slice(5, 9), slice(0, 30), slice(7, 10))


def test_cropped_grid_keeps_everything_but_the_shape():
    grid = Grid(shape=(20, 30, 10), voxel_size_mm=(1.0, 2.0, 3.0), b0_direction=(0.0, 0.6, 0.8))
    cropped = crop_grid(grid, (slice(2, 12), slice(0, 7), slice(5, 10)))
    assert cropped.shape == (10, 7, 5)
    assert (cropped.voxel_size_mm, cropped.b0_direction) == (grid.voxel_size_mm, grid.b0_direction)


def test_an_empty_mask_is_refused():
    with pytest.raises(InvalidInputError, match="empty"):
        mask_box(np.zeros((3, 4, 5), bool), 1)
