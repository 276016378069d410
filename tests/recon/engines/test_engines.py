"""Every engine against the eager float32 network, and what happens where one cannot run."""

import numpy as np
import pytest
import torch

from recon.engines import choose
from recon.engines.eager import EagerEngine
from recon.engines.openvino_cpu import OpenVinoEngine
from recon.errors import EngineError, InvalidInputError
from recon.network.features import CHANNELS
from recon.network.model import ModelConfig, TotalFieldNetwork
from recon.network.weights import load_weights, save_weights


@pytest.fixture
def trained(tmp_path):
    torch.manual_seed(0)
    network = TotalFieldNetwork(ModelConfig(inputs=len(CHANNELS), widths=(8, 12), head_width=4))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    save_weights(network, tmp_path / "w.safetensors")
    return load_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize(("precision", "tolerance"), [("f32", 1e-4), ("", 0.05)])
def test_openvino_equals_the_eager_network_on_any_shape(trained, tmp_path, monkeypatch, precision, tolerance):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    eager, engine = EagerEngine(trained), OpenVinoEngine(trained, precision)
    for shape in ((16, 12, 8), (8, 20, 24)):
        features = torch.randn(1, len(CHANNELS), *shape, generator=torch.Generator().manual_seed(3))
        expected = eager.run(features)
        scale = float(expected.abs().max())
        np.testing.assert_allclose(engine.run(features), expected, atol=tolerance * scale)
    assert engine.description.startswith("openvino")


def test_openvino_works_without_a_home(trained, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    features = torch.zeros(1, len(CHANNELS), 8, 8, 8)
    assert OpenVinoEngine(trained).run(features).shape == (1, 1, 8, 8, 8)


def test_auto_falls_back_and_says_why(monkeypatch):
    def broken(trained):
        raise EngineError("it is broken today")

    monkeypatch.setitem(choose.ENGINES, "openvino", broken)
    choose.choose_engine.cache_clear()
    try:
        chosen = choose.choose_engine("auto")
    finally:
        choose.choose_engine.cache_clear()
    assert isinstance(chosen.engine, EagerEngine)
    assert "broken today" in chosen.warnings[0]


def test_a_named_engine_does_not_fall_back():
    with pytest.raises(EngineError, match="TensorRT"):
        choose.choose_engine("tensorrt")


def test_unknown_engines_are_refused_with_the_known_ones():
    with pytest.raises(InvalidInputError, match="openvino"):
        choose.choose_engine("abacus")
