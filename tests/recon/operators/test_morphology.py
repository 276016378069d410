import numpy as np
import pytest
from scipy import ndimage

from recon.operators.morphology import box_filter
from recon.types import Grid

GRID = Grid(shape=(33, 12, 40), voxel_size_mm=(2.5, 0.7, 1.1), b0_direction=(0.0, 0.0, 1.0))


@pytest.mark.parametrize("radius_mm", [0.3, 2.5, 30.0])
@pytest.mark.parametrize("share", [0.0, 0.03, 0.97, 1.0])
def test_boxes_erode_dilate_and_open_as_rank_filters_do(radius_mm, share):
    mask = np.random.default_rng(1).random(GRID.shape) < share
    size = [2 * round(radius_mm / s) + 1 for s in GRID.voxel_size_mm]
    eroded = ndimage.minimum_filter(mask, size, mode="nearest")
    np.testing.assert_array_equal(box_filter(mask, GRID, radius_mm, "erode"), eroded)
    np.testing.assert_array_equal(
        box_filter(mask, GRID, radius_mm, "dilate"), ndimage.maximum_filter(mask, size, mode="nearest")
    )
    np.testing.assert_array_equal(
        box_filter(mask, GRID, radius_mm, "open"), mask & ndimage.maximum_filter(eroded, size, mode="nearest")
    )
