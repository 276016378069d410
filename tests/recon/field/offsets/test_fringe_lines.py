import numpy as np
import pytest

from recon.field.offsets.fringe_lines import fringe_length_mm
from recon.operators.coarse import block_phasors, coarse_grid
from tests.support.phase_phantoms import OBLIQUE, SHAPE, ball, positions


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
