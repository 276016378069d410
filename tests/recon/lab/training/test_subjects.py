"""Training subjects are scans that fit in memory, in every direction of B0."""

import numpy as np
import pytest

from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.training.subjects import MAX_VOXELS, draw_scan, draw_subject


@pytest.mark.parametrize("seed", range(12))
def test_subjects_fit_in_memory_and_are_scans(seed):
    subject = draw_subject(generator(Purpose.TRAINING, seed))
    assert np.prod(subject.scan.shape) <= MAX_VOXELS
    assert np.linalg.norm(subject.scan.b0_direction) == pytest.approx(1.0)
    assert subject.scan.echo_times_s == tuple(sorted(subject.scan.echo_times_s))


def test_heads_lie_in_the_magnet_in_every_direction():
    tilts_deg = [
        np.degrees(np.arccos(abs(draw_scan(generator(Purpose.TRAINING, seed)).b0_head[2]))) for seed in range(400)
    ]
    # Of the 40 % in any direction, cos 30° are beyond 30°, cos 60° beyond 60°.
    assert 0.24 < np.mean(np.greater(tilts_deg, 30)) < 0.46
    assert 0.12 < np.mean(np.greater(tilts_deg, 60)) < 0.30
