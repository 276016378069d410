import numpy as np

from recon.field.offsets.fringe_lines import fringe_lines
from recon.operators.coarse import block_phasors, coarse_grid
from tests.support.phase_phantoms import OBLIQUE, SHAPE, ball, positions


def test_nothing_has_no_fringe_lines():
    assert fringe_lines(np.zeros((4, 5, 6), np.complex64), coarse_grid(OBLIQUE)) == ()


def test_open_ended_fringe_lines_are_named():
    x, y, _ = positions()
    coarse = coarse_grid(OBLIQUE)
    nothing = np.zeros(SHAPE, np.float32)

    def lines(offset):
        magnitude = ball().astype(np.float32)
        phasors = block_phasors(offset.astype(np.float32), nothing, 0.0, magnitude, ball(), coarse)
        return fringe_lines(phasors, coarse)

    assert "fringe lines" in lines(np.arctan2(y - 0.031, x + 0.017))[0]
    assert lines(2 * x - y * y) == ()
