"""Torch-TensorRT, as far as it shows without a GPU: what a cache entry is of, what is refused, what is called."""

import importlib.metadata
import sys
import types

import pytest
import torch

from recon.engines import gpu as gpu_module
from recon.engines.engine_file import ShapeProfile, plans, read_engine
from recon.engines.folders import engines_folder
from recon.engines.gpu import find_gpu
from recon.engines.tensorrt import torch_tensorrt as tensorrt
from recon.engines.tensorrt.engine import load
from recon.engines.tensorrt.torch_tensorrt import build, installed_flavour
from recon.errors import DeviceMemoryError, EngineAbsentError, EngineError
from recon.options import ENGINES
from tests.recon.engines.tensorrt.test_engine import HostGpu

GPU = HostGpu(name="NVIDIA Test 1", capability=(8, 6))


class FakeTorchTensorRt(types.ModuleType):
    """``torch_tensorrt`` whose plan is ``plan``."""

    def __init__(self, plan):
        super().__init__("torch_tensorrt")
        self.plan, self.calls = plan, []
        self.dynamo = types.SimpleNamespace(convert_exported_program_to_serialized_trt_engine=self._convert)

    def Input(self, **values):
        return values

    def Device(self, **values):
        return values

    def _convert(self, program, **settings):
        assert isinstance(program, torch.export.ExportedProgram)
        self.calls.append(settings)
        if isinstance(self.plan, Exception):
            raise self.plan
        return self.plan


@pytest.fixture
def fake(monkeypatch):
    module = FakeTorchTensorRt(b"plan")
    monkeypatch.setitem(sys.modules, "torch_tensorrt", module)
    monkeypatch.setattr(tensorrt, "installed_flavour", lambda: ("torch-tensorrt", "2.13.0"))
    return module


def test_a_network_is_built_whole_and_then_cached(trained, fake):
    profile = ShapeProfile(largest=(64, 64, 64))
    file = build(trained, GPU, profile=profile)
    assert file.plan == b"plan"
    (settings,) = fake.calls
    assert settings["require_full_compilation"] is True
    assert settings["arg_inputs"][0]["max_shape"] == (1, 8, 64, 64, 64)
    assert read_engine(file.path).manifest.targets == ("NVIDIA Test 1", "sm_86")
    assert build(trained, GPU, profile=profile) == file
    assert len(fake.calls) == 1


def test_a_network_that_tensorrt_does_not_take_whole_is_not_built(trained, fake):
    fake.plan = NotImplementedError("Conversion of module not currently fully supported")
    with pytest.raises(EngineError, match=r"whole network as one engine \(Conversion of module"):
        build(trained, GPU)
    assert plans(engines_folder(), "tensorrt") == []


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(torch.cuda.OutOfMemoryError("full"), DeviceMemoryError), (RuntimeError("converter"), EngineError)],
)
def test_a_failed_build_says_why_and_leaves_nothing(trained, fake, failure, kind):
    fake.plan = failure
    with pytest.raises(kind):
        build(trained, GPU)
    assert plans(engines_folder(), "tensorrt") == []


def test_the_cache_is_keyed_by_weights_gpu_library_precision_and_sizes(trained, other_trained, fake, monkeypatch):
    def name(network=trained, gpu=GPU, flavour="torch-tensorrt", version="2.13.0", **changes):
        monkeypatch.setattr(tensorrt, "installed_flavour", lambda: (flavour, version))
        return build(network, gpu, **changes).path.name

    names = [
        name(),
        name(network=other_trained),
        name(gpu=HostGpu(name="NVIDIA Test 2", capability=(8, 6))),
        name(flavour="torch-tensorrt-rtx"),
        name(version="2.13.1"),
        name(precision="fp32"),
        name(profile=ShapeProfile(largest=(64, 64, 64))),
    ]
    assert len(set(names)) == 7


def test_either_flavour_will_do(monkeypatch):
    def version(name):
        if name != "torch-tensorrt-rtx":
            raise importlib.metadata.PackageNotFoundError(name)
        return "2.13.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert installed_flavour() == ("torch-tensorrt-rtx", "2.13.0")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version("another"))
    with pytest.raises(EngineAbsentError, match="'tensorrt' or 'tensorrt-rtx' extra"):
        installed_flavour()


def test_torch_tensorrt_is_not_imported_without_a_gpu(trained, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu_module, "driver_present", lambda: False)
    with pytest.raises(EngineAbsentError, match="no NVIDIA GPU"):
        load(trained, ENGINES["tensorrt"])
    assert "torch_tensorrt" not in sys.modules


def test_an_old_gpu_is_refused_by_name(monkeypatch):
    properties = types.SimpleNamespace(name="NVIDIA Old", major=6, minor=1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    with pytest.raises(EngineError, match=r"NVIDIA Old has compute capability 6\.1, TensorRT needs 7\.5"):
        find_gpu()
    properties.major, properties.minor = 8, 9
    assert find_gpu().architecture == "sm_89"


def test_a_gpu_that_does_not_answer_is_not_absent(monkeypatch):
    def lost(index):
        raise RuntimeError("CUDA driver error")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lost)
    with pytest.raises(EngineError, match="does not answer") as caught:
        find_gpu()
    assert not isinstance(caught.value, EngineAbsentError)
