"""Building for real, without a GPU, and reading back what was built."""

import numpy as np
import pytest
import torch

from recon.engines.engine_file import ShapeProfile, read_engine
from recon.engines.precision import MixedPrecision, in_precision
from recon.engines.status import engine_files
from recon.engines.tensorrt import ahead_of_time
from recon.engines.tensorrt.ahead_of_time import build_ahead_of_time, to_onnx
from recon.engines.torch_eager import TorchEngine
from recon.errors import EngineError, InvalidInputError
from recon.network.features import CHANNELS

PROFILE = ShapeProfile(smallest=(4, 4, 4), usual=(16, 12, 8), largest=(64, 64, 64))


@pytest.fixture
def library():
    return pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed (extra 'tensorrt-rtx')")


@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 0.01), ("fp32", 1e-5)])
def test_the_exported_graph_computes_what_the_network_computes(trained, precision, tolerance):
    """The very graph that TensorRT gets, run on the CPU by another library, on sizes it was not exported with."""
    pytest.importorskip("onnxscript", reason="the ONNX exporter is not installed (extra 'tensorrt-rtx')")
    import openvino as ov

    model = ov.Core().read_model(to_onnx(trained, precision, PROFILE))
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for shape in ((8, 12, 16), (20, 4, 8)):
        features = torch.randn(1, len(CHANNELS), *shape, generator=torch.Generator().manual_seed(3))
        expected = TorchEngine(trained).run(features)
        scale = float(expected.abs().max())
        np.testing.assert_allclose(compiled([features.numpy()])[0], expected, atol=tolerance * scale)


def test_an_engine_is_built_ahead_of_time_and_read_back_and_its_precision_changes_the_plan(
    library, trained, tmp_path, monkeypatch
):
    monkeypatch.setenv("QSM_PLUGIN_ENGINES", str(tmp_path))
    built = build_ahead_of_time(trained, tmp_path, targets=("sm_120", "sm_86"), profile=PROFILE)
    read = read_engine(built.path)
    assert read.plan == built.plan
    assert len(read.plan) > 10_000
    assert read.manifest.targets == ("sm_86", "sm_120")
    assert read.manifest.weights_sha256 == trained.sha256
    assert read.manifest.library_version == library.__version__
    assert read.manifest.profile == PROFILE
    assert [file.state for file in engine_files(trained)] == ["fits"]
    exact = build_ahead_of_time(trained, tmp_path, targets=("sm_86",), profile=PROFILE, precision="fp32")
    assert exact.path != built.path
    assert exact.plan != built.plan
    monkeypatch.setattr(ahead_of_time, "_build", None)
    assert build_ahead_of_time(trained, tmp_path, targets=("sm_86", "sm_120"), profile=PROFILE) == read


def test_unknown_targets_and_precisions_are_refused(library, trained, tmp_path):
    with pytest.raises(InvalidInputError, match=r"sm_12.*expected some of sm_75"):
        build_ahead_of_time(trained, tmp_path, targets=("sm_12",))
    with pytest.raises(InvalidInputError, match="fp16 or fp32"):
        build_ahead_of_time(trained, tmp_path, precision="int3")
    assert not list(tmp_path.glob("*.plan"))


def test_what_cannot_be_built_says_why(library, trained, tmp_path):
    upside_down = ShapeProfile(smallest=(32, 32, 32), usual=(16, 16, 16), largest=(64, 64, 64))
    with pytest.raises(EngineError, match="TensorRT-RTX could not build"):
        build_ahead_of_time(trained, tmp_path, targets=("sm_86",), profile=upside_down)


def test_half_precision_keeps_the_last_layer_exact(trained):
    network = MixedPrecision(trained.network)
    kinds = {name: parameter.dtype for name, parameter in network.named_parameters()}
    assert {name for name, kind in kinds.items() if kind == torch.float32} == {
        "half_network.last.weight",
        "half_network.last.bias",
    }
    assert trained.network.last.weight.dtype == trained.network.stem.weight.dtype == torch.float32
    assert in_precision(trained.network, "fp32").stem.weight.dtype == torch.float32
