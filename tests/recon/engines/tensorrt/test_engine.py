"""The calls that run a plan, against a library that does what TensorRT does on the host's memory."""

import pytest
import torch

from recon.engines.choose import EngineChain
from recon.engines.engine_file import EngineFile, Manifest, ShapeProfile, write_engine
from recon.engines.folders import engines_folder
from recon.engines.forward import CheckedForward
from recon.engines.gpu import Gpu
from recon.engines.tensorrt import ahead_of_time, engine
from recon.engines.tensorrt.engine import TensorRtEngine
from recon.engines.torch_eager import TorchEngine
from recon.errors import DeviceMemoryError, EngineAbsentError, EngineError
from recon.network.features import CHANNELS
from recon.options import ENGINES
from tests.recon.engines import fake_library
from tests.recon.engines.conftest import on

CPU = torch.device("cpu")


class HostGpu(Gpu):
    """A GPU whose memory is the host's."""

    @property
    def device(self):
        return CPU


GPU = HostGpu(name="NVIDIA Test 1", capability=(8, 6))


@pytest.fixture(autouse=True)
def host_as_gpu(trained, monkeypatch):
    fake_library.NETWORKS.clear()
    fake_library.NETWORKS["the network"] = trained.network
    fake_library.Context.fails.clear()
    monkeypatch.setattr(engine, "on_own_stream", lambda device, enqueue: enqueue(17))
    monkeypatch.setattr(engine, "find_gpu", lambda: GPU)
    monkeypatch.setattr(engine, "import_library", lambda name: fake_library)
    monkeypatch.setattr(ahead_of_time, "installed_version", lambda name: "1.5.0")


def manifest_of(trained, **changes):
    values = {
        "engine": "tensorrt-rtx",
        "weights_sha256": trained.sha256,
        "precision": "fp16",
        "profile": ShapeProfile(largest=(64, 64, 64)),
        "library": "tensorrt_rtx",
        "library_version": "1.5.0",
        "targets": ("sm_75", "sm_86"),
    }
    return Manifest(**{**values, **changes})


def engine_of(trained, plan=b"the network", cache=None):
    return TensorRtEngine(fake_library, EngineFile(manifest=manifest_of(trained), plan=plan, path=None), GPU, cache)


def loaded(trained):
    return engine.load(trained, ENGINES["tensorrt-rtx"])


def volume(*shape):
    return torch.randn(1, len(CHANNELS), *shape, generator=torch.Generator().manual_seed(4))


def test_a_plan_runs_on_the_tensors_own_memory(trained):
    runner = engine_of(trained)
    for features in (volume(8, 12, 16), volume(16, 8, 4), volume(8, 12, 16).transpose(2, 4)):
        output = runner.run(features)
        torch.testing.assert_close(output, TorchEngine(trained).run(features.contiguous()), rtol=0, atol=1e-6)


def test_kernels_are_kept_for_the_next_start(trained, tmp_path):
    cache = tmp_path / "kernels"
    engine_of(trained, cache=cache).save_kernels()
    assert cache.read_bytes() == b"kernels"
    cache.write_bytes(b"earlier")
    engine_of(trained, cache=cache).save_kernels()
    assert cache.read_bytes() == b"earlier"


@pytest.mark.parametrize(
    ("plan", "reason"), [(b"for another GPU", "unsupported cc"), (b"something else", "did not accept")]
)
def test_a_plan_that_the_library_does_not_take_is_refused(trained, plan, reason):
    with pytest.raises(EngineError, match=reason):
        engine_of(trained, plan)


def test_what_fails_while_running_is_an_engines_error(trained):
    run = CheckedForward(engine_of(trained), trained.network.config)
    with pytest.raises(RuntimeError, match="does not take a volume"):
        engine_of(trained).run(volume(68, 4, 4))
    fake_library.Context.fails.append(RuntimeError("CUDA error: unspecified launch failure\nmore"))
    with pytest.raises(EngineError, match=r"launch failure$"):
        run(volume(8, 8, 8))
    fake_library.Context.fails.append(torch.cuda.OutOfMemoryError("out of memory"))
    with pytest.raises(DeviceMemoryError):
        run(volume(8, 8, 8))
    assert run(volume(8, 8, 8)).shape == (1, 1, 8, 8, 8)


def test_the_engine_file_of_these_weights_is_found_and_runs(trained):
    write_engine(engines_folder(), manifest_of(trained, weights_sha256="00" * 32), b"another network")
    write_engine(engines_folder(), manifest_of(trained), b"the network")
    found = loaded(trained)
    features = volume(12, 8, 16)
    torch.testing.assert_close(found.run(features), TorchEngine(trained).run(features), rtol=0, atol=1e-6)
    assert str(found.describe()) == "tensorrt-rtx fp16 NVIDIA Test 1"
    assert found.largest == (64, 64, 64)


def test_without_an_engine_file_the_engine_is_absent(trained):
    with pytest.raises(EngineAbsentError, match="engine build --ahead-of-time"):
        loaded(trained)


def damaged(trained):
    path = write_engine(engines_folder(), manifest_of(trained), b"the network").path
    path.write_bytes(b"the Network")


def truncated(trained):
    path = write_engine(engines_folder(), manifest_of(trained), b"the network").path
    path.write_bytes(b"the net")


def of_other_weights(trained):
    write_engine(engines_folder(), manifest_of(trained, weights_sha256="00" * 32), b"the network")


def of_another_version(trained):
    write_engine(engines_folder(), manifest_of(trained, library_version="1.4.9"), b"the network")


def for_later_gpus(trained):
    write_engine(engines_folder(), manifest_of(trained, targets=("sm_89", "sm_120")), b"the network")


def for_another_gpu(trained):
    write_engine(engines_folder(), manifest_of(trained), b"for another GPU")


def of_a_wrong_network(trained):
    fake_library.NETWORKS["wrong"] = lambda features: 1.01 * trained.network(features) + 0.02
    write_engine(engines_folder(), manifest_of(trained), b"wrong")


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (damaged, "not what its manifest was written for"),
        (truncated, "truncated"),
        (of_other_weights, "built of weights 00000000"),
        (of_another_version, r"1\.4\.9, 1\.5\.0 is installed"),
        (for_later_gpus, "sm_89, sm_120, NVIDIA Test 1 is sm_86"),
        (for_another_gpu, "unsupported cc"),
        (of_a_wrong_network, "self-check"),
    ],
)
def test_a_bad_engine_file_ends_in_a_correct_map_and_a_warning(trained, prepare, reason):
    prepare(trained)
    features = volume(12, 8, 16)
    result = EngineChain(trained, ("tensorrt-rtx", "torch"), "auto").infer(on(lambda device: features))
    assert result.engine.engine == "torch"
    assert len(result.warnings) == 1
    with pytest.raises(EngineError, match=reason):
        raise EngineError(result.warnings[0])
    torch.testing.assert_close(result.output, TorchEngine(trained).run(features), rtol=0, atol=0)


def test_a_gpu_that_is_lost_in_a_job_ends_in_a_correct_map_and_a_warning(trained):
    write_engine(engines_folder(), manifest_of(trained), b"the network")
    chain = EngineChain(trained, ("tensorrt-rtx", "torch"), "auto")
    features = volume(12, 8, 16)
    assert chain.infer(on(lambda device: features)).engine.engine == "tensorrt-rtx"
    fake_library.Context.fails.append(RuntimeError("CUDA error: an illegal memory access was encountered"))
    result = chain.infer(on(lambda device: features))
    assert result.engine.engine == "torch"
    assert "illegal memory access" in result.warnings[0]
    torch.testing.assert_close(result.output, TorchEngine(trained).run(features), rtol=0, atol=0)


def test_a_volume_larger_than_the_profile_runs_in_tiles(trained):
    write_engine(engines_folder(), manifest_of(trained), b"the network")
    features = volume(8, 8, 120)
    result = EngineChain(trained, ("tensorrt-rtx", "torch"), "auto").infer(on(lambda device: features))
    assert result.engine.engine == "tensorrt-rtx"
    assert "larger than the engine takes" in result.warnings[0]
    torch.testing.assert_close(result.output, TorchEngine(trained).run(features), rtol=0, atol=2e-6)
