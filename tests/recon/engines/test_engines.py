"""Every engine against the eager float32 network, and what happens where one cannot run."""

import dataclasses
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recon.engines import choose, gpu, openvino_cpu
from recon.engines.base import Description, import_library
from recon.engines.choose import EngineChain, chain_of, choose_engine, try_engine
from recon.engines.forward import CheckedForward
from recon.engines.openvino_cpu import OpenVinoEngine
from recon.engines.self_check import EXACT, REDUCED, check, difference, known_head
from recon.engines.status import time_engine
from recon.engines.torch_eager import TorchEngine
from recon.errors import DeviceMemoryError, EngineAbsentError, EngineError, InvalidInputError, ReconError
from recon.network.features import CHANNELS, MASK_CHANNEL
from recon.network.weights import load_weights
from recon.options import ENGINES
from tests.recon.engines.conftest import on


class Fake:
    """An engine that computes what the network does, until it is told to fail."""

    device = torch.device("cpu")
    largest = None

    def __init__(self, trained, *failures, offset=0.0, precision="fp16"):
        self.eager, self.failures, self.offset = TorchEngine(trained), list(failures), offset
        self.description = Description(engine="fake", precision=precision, device="nowhere")

    def run(self, features):
        if self.failures and features.shape[2] == 24:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
        return self.eager.run(features) + self.offset


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(choose, "driver_present", lambda: False)
    monkeypatch.setattr(gpu, "driver_present", lambda: False)


@pytest.fixture
def volume(trained):
    features = torch.randn(1, len(CHANNELS), 24, 16, 8, generator=torch.Generator().manual_seed(3))
    return lambda device: features.to(device)


def serve(monkeypatch, name, load):
    """Let ``load`` make the engine of a row."""
    monkeypatch.setitem(sys.modules, "a_fake_engine", SimpleNamespace(load=load))
    monkeypatch.setitem(ENGINES, name, dataclasses.replace(ENGINES[name], module="a_fake_engine"))


def chain_with(monkeypatch, trained, engine):
    serve(monkeypatch, "tensorrt", lambda trained, row: engine)
    return EngineChain(trained, ("tensorrt", "openvino", "torch"), "auto")


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 0.05)])
def test_openvino_equals_the_eager_network_on_any_shape(trained, precision, tolerance):
    eager, engine = TorchEngine(trained), OpenVinoEngine(trained, precision)
    for shape in ((16, 12, 8), (8, 20, 24)):
        features = torch.randn(1, len(CHANNELS), *shape, generator=torch.Generator().manual_seed(3))
        expected = eager.run(features)
        scale = float(expected.abs().max())
        np.testing.assert_allclose(engine.run(features), expected, atol=tolerance * scale)
    assert engine.description.engine == "openvino"


def test_openvino_equals_the_eager_network_in_a_mask_that_fills_a_part_of_the_volume(trained):
    features = torch.randn(1, len(CHANNELS), 56, 20, 16, generator=torch.Generator().manual_seed(4))
    x, y, z = torch.meshgrid(*(torch.arange(n) for n in features.shape[2:]), indexing="ij")
    mask = ((x - 33) / 20) ** 2 + ((y - 7) / 8) ** 2 + ((z - 8) / 5) ** 2 < 1
    mask[3:5, 12:14, 1] = True
    features[0, MASK_CHANNEL] = mask.float()
    found, expected = OpenVinoEngine(trained, "fp32").run(features), TorchEngine(trained).run(features)
    np.testing.assert_allclose(found[0, 0][mask], expected[0, 0][mask], atol=1e-4 * float(expected.abs().max()))
    assert found.shape == expected.shape


def test_openvino_converts_once_and_repairs_its_cache(trained, own_cache, monkeypatch, caplog):
    OpenVinoEngine(trained)
    (plan,) = (own_cache / "qsm-plugin" / "openvino").glob("*.plan")
    converted = []
    convert = openvino_cpu._convert
    monkeypatch.setattr(openvino_cpu, "_convert", lambda *args: converted.append(1) or convert(*args))
    OpenVinoEngine(trained)
    assert not converted
    plan.write_bytes(plan.read_bytes()[:-7])
    features = torch.ones(1, len(CHANNELS), 8, 8, 8)
    repaired = OpenVinoEngine(trained, "fp32").run(features)
    assert converted == [1]
    assert "truncated" in caplog.text
    torch.testing.assert_close(repaired, TorchEngine(trained).run(features), rtol=0, atol=1e-5)


def test_openvino_works_without_a_home(trained, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    features = torch.zeros(1, len(CHANNELS), 8, 8, 8)
    assert OpenVinoEngine(trained).run(features).shape == (1, 1, 8, 8, 8)


def test_the_shipped_network_passes_its_self_check_on_openvino():
    trained = load_weights()
    apart = check(OpenVinoEngine(trained), trained)
    assert 0 <= apart.rms_ppb <= REDUCED.rms_ppb
    exact = check(OpenVinoEngine(trained, "fp32"), trained)
    assert exact.within(EXACT)


def test_the_known_head_is_always_the_same():
    first = known_head(16).clone()
    known_head.cache_clear()
    torch.testing.assert_close(known_head(16), first, rtol=0, atol=0)
    assert first[0, 1].sum() > 10000
    assert float(first.abs().max()) < 60


def test_a_difference_that_is_not_a_number_is_too_large():
    expected = torch.zeros(1, 1, 2, 2, 2)
    apart = difference(expected + torch.nan, expected, torch.ones(2, 2, 2, dtype=torch.bool))
    assert not apart.within(REDUCED)


def test_a_wrong_engine_is_refused_and_the_next_one_used(trained, monkeypatch, volume):
    chain = chain_with(monkeypatch, trained, Fake(trained, offset=0.05))
    result = chain.infer(on(volume))
    assert result.engine.engine == "openvino"
    assert "self-check: 5 ppb RMS" in result.warnings[0]
    assert chain.attempts[0].state == "refused"
    assert "self-check" in result.choice


def test_an_exact_engine_has_to_be_exact(trained):
    check(Fake(trained, offset=0.002), trained)
    with pytest.raises(EngineError, match=r"0\.05 and 1 are allowed"):
        check(Fake(trained, offset=0.002, precision="fp32"), trained)


def test_auto_takes_openvino_without_a_gpu_and_says_why_without_a_warning(trained, no_gpu, volume):
    result = EngineChain(trained, tuple(ENGINES), "auto").infer(on(volume))
    assert result.engine.engine == "openvino"
    assert result.choice.startswith("auto, openvino (tensorrt-rtx: no NVIDIA GPU")
    assert result.warnings == ()


def test_an_unused_gpu_is_worth_a_warning(trained, no_gpu, volume, monkeypatch):
    monkeypatch.setattr(choose, "driver_present", lambda: True)
    monkeypatch.setattr(gpu, "driver_present", lambda: True)
    result = EngineChain(trained, tuple(ENGINES), "auto").infer(on(volume))
    assert result.engine.engine == "openvino"
    assert any("torch-cuda could not be used" in warning for warning in result.warnings)
    assert "built without CUDA" in result.warnings[0] or "CUDA finds no GPU" in result.warnings[0]


@pytest.mark.parametrize("failure", [EngineError("the GPU was lost"), RuntimeError("CUDA error: device-side assert")])
def test_an_engine_that_fails_in_a_job_is_followed_by_the_next(trained, monkeypatch, volume, failure):
    chain = chain_with(monkeypatch, trained, Fake(trained, failure))
    result = chain.infer(on(volume))
    assert result.engine.engine == "openvino"
    assert str(failure) in result.warnings[0]
    expected = TorchEngine(trained).run(volume("cpu"))
    assert float((result.output - expected).abs().max()) < 0.05 * float(expected.abs().max())
    again = chain.infer(on(volume))
    assert again.engine.engine == "openvino"
    assert "failed in a job" in again.warnings[0]
    assert chain.attempts[0].state == "refused"


@pytest.mark.parametrize("full", [DeviceMemoryError, torch.cuda.OutOfMemoryError, MemoryError])
def test_an_engine_that_had_too_little_memory_is_tried_again(trained, monkeypatch, volume, full):
    chain = chain_with(monkeypatch, trained, Fake(trained, full("the GPU is full")))
    assert "the GPU is full" in chain.infer(on(volume)).warnings[0]
    again = chain.infer(on(volume))
    assert again.engine.engine == "fake"
    assert again.warnings == ()


def test_an_output_that_is_not_finite_is_never_taken(trained, monkeypatch, volume):
    engine = Fake(trained)
    chain = chain_with(monkeypatch, trained, engine)
    chain.prepare()
    engine.offset = float("nan")
    result = chain.infer(on(volume))
    assert result.engine.engine == "openvino"
    assert "not numbers" in result.warnings[0]


def test_bad_data_is_not_the_engines_fault(trained, monkeypatch, volume):
    chain = chain_with(monkeypatch, trained, Fake(trained))
    with pytest.raises(ReconError, match="not numbers"):
        chain.infer(on(lambda device: volume(device) * torch.nan))

    def broken(device):
        raise RuntimeError("shapes")

    with pytest.raises(ReconError, match="could not be made"):
        chain.infer(on(broken))
    assert chain.infer(on(volume)).engine.engine == "fake"


def test_a_volume_larger_than_the_profile_is_tiled_and_says_so(trained, monkeypatch):
    engine = Fake(trained)
    engine.largest = (64, 64, 72)
    features = torch.randn(1, len(CHANNELS), 8, 12, 160, generator=torch.Generator().manual_seed(5))
    result = chain_with(monkeypatch, trained, engine).infer(on(lambda device: features))
    assert "larger than the engine takes (64 x 64 x 72 voxels)" in result.warnings[0]
    torch.testing.assert_close(result.output, TorchEngine(trained).run(features), rtol=0, atol=2e-6)


def test_when_nothing_works_the_reasons_are_told(trained, monkeypatch, volume):
    def absent(trained, row):
        raise EngineAbsentError("it is not here")

    for name in ENGINES:
        serve(monkeypatch, name, absent)
    with pytest.raises(EngineError, match="torch: it is not here"):
        EngineChain(trained, tuple(ENGINES), "auto").infer(on(volume))


def test_every_row_has_a_loader():
    assert all(callable(import_library(row.module).load) for row in ENGINES.values())


def test_a_gpu_that_is_lost_while_an_engine_loads_refuses_it(trained, monkeypatch):
    def lost(trained, row):
        raise RuntimeError("CUDA error: device lost\nmore")

    serve(monkeypatch, "tensorrt", lost)
    engine, attempt = try_engine("tensorrt", trained)
    assert engine is None
    assert (attempt.state, attempt.reason) == ("refused", "CUDA error: device lost")


def test_a_named_engine_does_not_fall_back_at_the_start(no_gpu):
    with pytest.raises(
        EngineError, match="tensorrt cannot be used: no NVIDIA GPU on this machine; it needs an NVIDIA GPU and"
    ):
        choose_engine("tensorrt")


def test_a_named_engine_is_followed_by_those_below_it():
    assert chain_of("openvino") == ("openvino", "torch")
    assert chain_of("auto") == tuple(ENGINES)


def test_unknown_engines_are_refused_with_the_known_ones():
    with pytest.raises(InvalidInputError, match="openvino"):
        choose_engine("abacus")


def test_every_engine_has_its_state_and_figures(trained, no_gpu):
    states = {name: try_engine(name, trained)[1] for name in ENGINES}
    assert [state.name for state in states.values()] == list(ENGINES)
    assert states["tensorrt"].state == states["tensorrt-rtx"].state == "absent"
    assert "no NVIDIA GPU" in states["tensorrt"].reason
    assert states["torch"].state == "ready"
    assert states["torch"].largest_ppb == 0
    assert states["openvino"].rms_ppb >= 0
    assert dataclasses.asdict(states["torch"])


def test_an_engine_is_timed(trained):
    first, best = time_engine(TorchEngine(trained), (16, 16, 16), len(CHANNELS), runs=2)
    assert first > 0
    assert best > 0


@pytest.fixture
def cuda_engine(monkeypatch):
    """The engine of a GPU, made on the CPU: its arithmetic is the same, its device is not."""
    monkeypatch.setattr(gpu.Gpu, "device", torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    found = gpu.Gpu(name="a GPU", capability=(9, 0))
    return TorchEngine(load_weights(), found, "fp16")


def test_torch_on_a_gpu_computes_within_tolerance(cuda_engine):
    """On the middle of the known head: processors compute float16 at a hundredth of their speed."""
    trained = load_weights()
    middle = known_head(trained.network.config.stride)[..., 16:48, 16:32, 8:24].contiguous()
    found = difference(cuda_engine.run(middle), TorchEngine(trained).run(middle), middle[0, 1] > 0.5)
    assert found.rms_ppb > 0
    assert found.within(REDUCED)
    assert str(cuda_engine.description) == "torch-cuda fp16 a GPU"


@pytest.mark.parametrize(
    ("failure", "error"), [(torch.cuda.OutOfMemoryError, DeviceMemoryError), (RuntimeError, EngineError)]
)
def test_torch_on_a_gpu_says_what_failed(cuda_engine, monkeypatch, volume, failure, error):
    def fail(features):
        raise failure("CUDA error")

    monkeypatch.setattr(cuda_engine._network, "forward", fail)
    forward = CheckedForward(cuda_engine, load_weights().network.config)
    with pytest.raises(error, match="CUDA error"):
        forward(volume("cpu"))
