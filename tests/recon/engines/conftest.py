"""A tiny network with weights of a known file, and a cache of its own for every test."""

import pytest
import torch

from recon.engines import choose
from recon.network.features import CHANNELS
from recon.network.model import ModelConfig, TotalFieldNetwork
from recon.network.weights import load_weights, save_weights


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.delenv("QSM_PLUGIN_ENGINES", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    choose.choose_engine.cache_clear()


def make_trained(path, seed=0):
    """Save and load a tiny network of stride 4 whose every layer does something."""
    generator = torch.Generator().manual_seed(seed)
    network = TotalFieldNetwork(ModelConfig(inputs=len(CHANNELS), widths=(8, 12), head_width=4))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05, generator=generator)
    save_weights(network, path)
    return load_weights(path)


@pytest.fixture
def trained(tmp_path):
    return make_trained(tmp_path / "weights.safetensors")


@pytest.fixture
def other_trained(tmp_path):
    return make_trained(tmp_path / "other.safetensors", seed=1)


def on(make):
    """Return the least work that needs a network: run it once on what ``make`` gives for a device."""
    return lambda forward, device: forward(make(device))
