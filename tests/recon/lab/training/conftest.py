"""A pool of small heads, of noise, whose target follows from two of the features."""

import numpy as np
import pytest

from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.training.pool import Pool
from recon.lab.training.state import TrainingArgs
from recon.network.features import CHANNELS


@pytest.fixture
def pool(tmp_path):
    made = Pool(folder=tmp_path, purpose=Purpose.TRAINING)
    rng = np.random.default_rng(0)
    for head in range(TrainingArgs().newest(20) + 1):
        stack = rng.normal(size=(len(CHANNELS) + 4, 20, 18, 14)).astype(np.float16)
        stack[-2] = stack[3] * 0.5 + stack[4]
        stack[-1] = 1
        np.save(made.path(head), stack)
    return made
