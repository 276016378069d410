"""Errors of the measured field that training volumes get."""

import numpy as np
import torch

from recon.lab.training.sample import _turned_islands


def test_islands_inside_a_bleed_are_turned_whole_and_the_brain_never():
    noise = torch.full((20, 24, 28), 0.002)
    noise[4:10, 4:10, 4:10] = 1.0
    noise[6:8, 6:8, 6:8] = 0.002
    noise[15, 15, 15] = 1.0
    found = set()
    for seed in range(40):
        turns = _turned_islands(np.random.default_rng(seed), noise)
        island = turns[6:8, 6:8, 6:8]
        assert len(island.unique()) == 1
        assert turns.abs().sum() == island.abs().sum()
        found.add(float(island[0, 0, 0]))
    assert found == {-1.0, 0.0, 1.0}
