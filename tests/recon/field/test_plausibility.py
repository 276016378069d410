from dataclasses import replace

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.field.constants import FIELD
from recon.field.plausibility import compare_with_head_shape, head_shape_field
from recon.field.total import rad_per_s_of_one_ppm
from recon.masking.rim import BrainMask
from recon.operators.coarse import block_mean, coarse_grid
from recon.operators.wrap import wrap
from recon.types import GradientEcho, Grid
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
    times_s = (0.010, 0.020)
    phase = [rad_per_s_of_one_ppm(3.0) * t * field_ppm + 0.4 for t in times_s]
    echoes = GradientEcho(
        magnitude=np.stack([magnitude, 0.6 * magnitude]),
        phase_rad=wrap(np.stack(phase).astype(np.float32)),
        echo_times_s=times_s,
        b0_tesla=3.0,
        grid=grid,
    )
    return field_ppm, echoes, BrainMask(mask=brain, method="deepbet", warnings=())


def test_the_right_polarity_passes():
    assert compare_with_head_shape(*head_like_acquisition())["head_shape_correlation"] > 0.3


def test_inverted_polarity_is_refused():
    with pytest.raises(InvalidInputError, match="polarity of the phase is inverted"):
        compare_with_head_shape(*head_like_acquisition(sign=-1.0))


def test_filtered_phase_is_refused():
    with pytest.raises(InvalidInputError, match="high-pass filtered"):
        compare_with_head_shape(*head_like_acquisition(smooth=0.02))


def test_anything_but_a_brain_is_not_refused():
    field, echoes, brain = head_like_acquisition(sign=-1.0)
    figures = compare_with_head_shape(field, echoes, replace(brain, method="signal"))
    assert "head_shape_correlation" not in figures
    assert compare_with_head_shape(field, echoes, replace(brain, method="given"))["head_shape_correlation"] < 0


def test_filtered_phase_of_anything_but_a_brain_has_little_smoothness_left():
    field, echoes, brain = head_like_acquisition(smooth=0.02)
    figures = compare_with_head_shape(field, echoes, replace(brain, method="signal"))
    assert figures["phase_coherence"] > 0.95
    assert figures["smooth_field_ratio"] < 0.1
    assert figures["smoothness_left"] < FIELD.filtered_sum


def test_a_flat_field_whose_phase_turns_is_not_refused():
    """As of a slab that a shim has made even: the phase itself was not filtered."""
    field, echoes, brain = head_like_acquisition(smooth=0.02)
    x, _, z = positions(echoes.grid)
    turned = replace(echoes, phase_rad=wrap((echoes.phase_rad + 6 * x - 4 * z).astype(np.float32)))
    assert compare_with_head_shape(field, turned, brain)["smoothness_left"] > FIELD.filtered_sum


def test_figures_of_the_smooth_field_are_those_of_the_head_shape():
    figures = compare_with_head_shape(*head_like_acquisition())
    assert figures["smooth_field_ratio"] > 0.8
    assert figures["smooth_field_sd_ppm"] > 0.1
    assert 1 - figures["phase_coherence"] > FIELD.filtered_incoherence
    assert figures["smoothness_left"] > 3
