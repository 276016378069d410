import numpy as np
import pytest

from recon.field.offsets.fringe_lines import fringe_length_mm
from recon.field.total import total_field
from recon.operators.coarse import block_phasors, coarse_grid
from tests.support.phase_phantoms import OBLIQUE, SHAPE, acquire, ball, positions


def test_nothing_has_no_fringe_lines():
    assert fringe_length_mm(np.zeros((4, 5, 6), np.complex64), coarse_grid(OBLIQUE)) == 0


def test_open_ended_fringe_lines_are_measured():
    x, y, _ = positions()
    coarse = coarse_grid(OBLIQUE)
    nothing = np.zeros(SHAPE, np.float32)

    def length_mm(offset):
        magnitude = ball().astype(np.float32)
        phasors = block_phasors(offset.astype(np.float32), nothing, 0.0, magnitude, ball(), coarse)
        return fringe_length_mm(phasors, coarse)

    inside_mm = ball()[SHAPE[0] // 2, SHAPE[1] // 2].sum() * OBLIQUE.voxel_size_mm[2]
    assert length_mm(np.arctan2(y - 0.031, x + 0.017)) == pytest.approx(inside_mm, rel=0.4)
    assert length_mm(2 * x - y * y) == 0


@pytest.mark.parametrize("echo_times_s", [(0.004, 0.010, 0.016), (0.008, 0.013, 0.018)])
def test_the_field_is_right_beside_open_ended_fringe_lines(echo_times_s):
    x, y, z = positions()
    smooth = 0.9 + 1.2 * x - 0.8 * y * y
    lines = np.arctan2(y - 0.031, x + 0.217) - np.arctan2(y + 0.26 - 0.2 * z, x - 0.11)

    def field_ppm(offset):
        echoes = acquire(offset_rad=offset, echo_times_s=echo_times_s)
        found = total_field(echoes, mask=ball())
        return found.field_ppm, found.figures["open_fringe_lines_mm"], found.figures["open_fringe_lines_left_mm"]

    without, length_mm, _ = field_ppm(smooth)
    assert length_mm == 0
    moved, length_mm, left_mm = field_ppm(smooth + lines)
    assert length_mm > 50
    assert left_mm == 0
    error_ppb = 1e3 * np.abs(moved - without)[ball()]
    assert np.median(error_ppb) < 3
    assert np.percentile(error_ppb, 99) < 15
