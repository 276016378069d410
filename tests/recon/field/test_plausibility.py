from dataclasses import replace

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.field.plausibility import compare_with_head_shape, head_shape_field
from recon.masking.rim import BrainMask
from recon.operators.coarse import block_mean, coarse_grid
from recon.types import Grid
from tests.support.phase_phantoms import positions


def head_like_acquisition(sign=1.0, smooth=1.0):
    """A ball of tissue with a cavity; its own field, as the comparison must know it."""
    grid = Grid(shape=(44, 52, 40), voxel_size_mm=(4.0, 3.5, 4.5), b0_direction=(0.0, 0.1, 0.995))
    x, y, z = positions(grid)
    magnitude = (x**2 + y**2 + z**2 < 0.64).astype(np.float32)
    magnitude[(x**2 + (y + 0.55) ** 2 + (z + 0.1) ** 2) < 0.03] = 0
    brain = (x**2 + (y - 0.1) ** 2 + (z - 0.1) ** 2 < 0.36) & (magnitude > 0)
    coarse = coarse_grid(grid)
    field = head_shape_field(block_mean(magnitude, coarse), np.zeros(coarse.shape, np.float32), coarse, grid)
    noise = 0.002 * np.random.default_rng(0).standard_normal(grid.shape)
    field_ppm = (sign * smooth * field + noise).astype(np.float32)
    return field_ppm, magnitude, BrainMask(mask=brain, method="deepbet", warnings=()), grid


def test_the_right_polarity_passes():
    warnings, figures = compare_with_head_shape(*head_like_acquisition())
    assert warnings == ()
    assert figures["head_shape_correlation"] > 0.3


def test_inverted_polarity_is_refused():
    with pytest.raises(InvalidInputError, match="polarity of the phase is inverted"):
        compare_with_head_shape(*head_like_acquisition(sign=-1.0))


def test_filtered_phase_is_refused():
    with pytest.raises(InvalidInputError, match="high-pass filtered"):
        compare_with_head_shape(*head_like_acquisition(smooth=0.02))


def test_anything_but_a_brain_is_not_judged():
    field, magnitude, brain, grid = head_like_acquisition(sign=-1.0)
    warnings, figures = compare_with_head_shape(field, magnitude, replace(brain, method="signal"), grid)
    assert warnings == ()
    assert figures["head_shape_correlation"] < 0
