"""On a real GPU: each TensorRT engine against the eager network, from building to falling back."""

import time

import pytest
import torch

from recon.engines.base import import_library
from recon.engines.choose import EngineChain
from recon.engines.folders import engines_folder
from recon.engines.self_check import REDUCED, check, difference, known_head
from recon.engines.tensorrt import ahead_of_time, torch_tensorrt
from recon.engines.tensorrt.ahead_of_time import build_ahead_of_time
from recon.engines.torch_eager import TorchEngine
from recon.errors import EngineAbsentError, EngineError
from recon.network.weights import load_weights
from recon.options import ENGINES
from tests.recon.engines.conftest import on

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def shipped():
    return load_weights()


@pytest.fixture(params=["tensorrt-rtx", "tensorrt", "torch-cuda"])
def engine(request, gpu, shipped):
    try:
        if request.param == "tensorrt-rtx":
            build_ahead_of_time(shipped, engines_folder())
        row = ENGINES[request.param]
        return import_library(row.module).load(shipped, row)
    except EngineAbsentError as reason:
        pytest.skip(str(reason))
    except EngineError as reason:
        if "unsupported cc" not in str(reason):
            raise
        pytest.skip(f"TensorRT-RTX does not serve {gpu.name}, {gpu.architecture}: {reason}")


def test_the_engine_is_right_on_the_known_head(engine, shipped):
    apart = check(engine, shipped)
    print(f"{engine.describe()}: {apart.rms_ppb:.4f} ppb RMS, {apart.largest_ppb:.3f} ppb at most")
    assert apart.within(REDUCED)


def test_the_engine_is_right_on_other_sizes_and_leaves_its_output_on_the_gpu(engine, shipped):
    head = known_head(16)
    for axes in ((2, 3, 4), (4, 2, 3)):
        features = head.permute(0, 1, *axes).contiguous()
        output = engine.run(features.to(engine.device))
        assert output.device.type == "cuda"
        apart = difference(output, TorchEngine(shipped).run(features), features[0, 1] > 0.5)
        assert apart.within(REDUCED)


def test_the_engine_is_fast(engine, shipped):
    """Prints the time for a whole brain; at most 60 ms is the aim on a GPU of a scanner's computer."""
    features = torch.randn(1, shipped.network.config.inputs, 160, 192, 160, device=engine.device)
    for run in range(4):
        torch.cuda.synchronize()
        began = time.perf_counter()
        engine.run(features)
        torch.cuda.synchronize()
        print(f"{engine.describe()}, run {run}: {1e3 * (time.perf_counter() - began):.1f} ms")


def test_an_engine_is_loaded_from_the_cache_the_second_time(engine, shipped, gpu, monkeypatch):
    if engine.describe().engine == "torch-cuda":
        pytest.skip("nothing is built for it")
    for module in (torch_tensorrt, ahead_of_time):
        monkeypatch.setattr(module, "_build", None)
    if engine.describe().engine == "tensorrt":
        torch_tensorrt.build(shipped, gpu)
    else:
        build_ahead_of_time(shipped, engines_folder())


def test_a_volume_beyond_the_profile_is_tiled(engine, shipped):
    if engine.largest is None:
        pytest.skip("it takes volumes of any size")
    features = known_head(16).repeat(1, 1, 1, 1, 13)[..., :400].contiguous()
    name = engine.describe().engine
    result = EngineChain(shipped, (name, "torch"), "auto").infer(on(lambda device: features.to(device)))
    assert result.engine.engine == name
    assert "larger than the engine takes" in result.warnings[0]
    apart = difference(result.output, TorchEngine(shipped).run(features), features[0, 1] > 0.5)
    assert apart.within(REDUCED)


def test_a_full_gpu_ends_in_a_correct_map_and_a_warning(engine, shipped, gpu, monkeypatch):
    def full(features):
        return torch.empty(4 * torch.cuda.get_device_properties(0).total_memory, dtype=torch.uint8, device=gpu.device)

    name = engine.describe().engine
    chain = EngineChain(shipped, (name, "torch"), "auto")
    loaded = chain.prepare()
    if name == "torch-cuda":
        monkeypatch.setattr(loaded._network, "forward", full)
    else:
        monkeypatch.setattr(loaded, "_run", full)
    features = known_head(16)
    result = chain.infer(on(lambda device: features.to(device)))
    assert result.engine.engine == "torch"
    assert "too little free memory" in result.warnings[0]
    torch.testing.assert_close(result.output, TorchEngine(shipped).run(features), rtol=0, atol=1e-6)


def test_a_tampered_plan_is_refused_before_the_library_sees_it(gpu, shipped):
    try:
        path = build_ahead_of_time(shipped, engines_folder()).path
    except EngineAbsentError as reason:
        pytest.skip(str(reason))
    plan = bytearray(path.read_bytes())
    plan[len(plan) // 2] ^= 0xFF
    path.write_bytes(plan)
    with pytest.raises(EngineError, match="not what its manifest"):
        ahead_of_time.find_file(shipped, gpu)
