"""Validation: the mean over all heads, and over those with effects and those without."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recon.lab.simulation.draw.cases import whole_brain
from recon.lab.simulation.draw.effects import only
from recon.lab.training import validation
from recon.lab.training.validation import validate
from recon.network.features import MASK_CHANNEL, NOISE_CHANNEL
from recon.network.model import ModelConfig, TotalFieldNetwork


def test_validation_tells_heads_with_effects_from_those_without(pool, tmp_path, monkeypatch):
    for head in range(3):
        stack = np.load(pool.path(head))
        stack[MASK_CHANNEL], stack[NOISE_CHANNEL] = 1, 0.1
        np.save(pool.path(head), stack)
    easy = whole_brain(offset_rad=(0.0,) * 5, noise_seed=0)
    scans = iter([easy, replace(easy, effects=only("coils")), easy])
    monkeypatch.setattr(validation, "HEADS", (0, 1, 2))
    monkeypatch.setattr(validation, "draw_subject", lambda rng: SimpleNamespace(scan=next(scans)))
    torch.manual_seed(0)
    network = TotalFieldNetwork(ModelConfig(widths=(8, 12), head_width=4))
    figures = validate(network, pool, tmp_path / "validation.png", lambda: None)
    assert (tmp_path / "validation.png").exists()
    assert figures["with_effects_percent"] == pytest.approx(figures["head1"], abs=0.01)
    without = (figures["head0"] * figures["head2"]) ** (1 / 2)
    assert figures["without_effects_percent"] == pytest.approx(without, abs=0.01)
    every = (figures["head0"] * figures["head1"] * figures["head2"]) ** (1 / 3)
    assert figures["nrmse_percent"] == pytest.approx(every, abs=0.01)
