"""Torch-TensorRT, as far as it shows without a GPU: what a cache entry is of, what is refused, what is called."""

import importlib.metadata
import sys
import types

import pytest
import torch

from recon.engines import gpu as gpu_module
from recon.engines.engine_file import ShapeProfile, manifests, read_engine
from recon.engines.folders import engines_folder
from recon.engines.gpu import Gpu, find_gpu
from recon.engines.tensorrt import torch_tensorrt as tensorrt
from recon.engines.tensorrt.torch_tensorrt import Partition, build, installed_flavour, manifest_of, read_partition
from recon.errors import DeviceMemoryError, EngineAbsentError, EngineError
from tests.recon.engines.tensorrt.test_plan import HostGpu

GPU = HostGpu(name="NVIDIA Test 1", capability=(8, 6), memory_bytes=8 << 30)

WHOLE = """
The graph consists of 53 Total Operators, of which 53 operators are supported, 100.0% coverage

  Graph Structure:

   Inputs: List[Tensor: (1, 8, 16, 16, 16)@float32]
    ...
    TRT Engine #1 - Submodule name: _run_on_acc_0
"""
DIVIDED = """
The graph consists of 53 Total Operators, of which 52 operators are supported, 98.11% coverage

The following ops are currently unsupported or excluded from conversion, and are listed:
 torch.ops.aten.foo: 1

The following nodes are currently set to run in Torch:
foo
    TRT Engine #1 - Submodule name: _run_on_acc_0
    TRT Engine #2 - Submodule name: _run_on_acc_2
"""


class FakeTorchTensorRt(types.ModuleType):
    """``torch_tensorrt`` whose dry run says ``text`` and whose plan is ``plan``."""

    def __init__(self, text, plan):
        super().__init__("torch_tensorrt")
        self.text, self.plan, self.calls = text, plan, []
        self.dynamo = types.SimpleNamespace(
            compile=self._compile, convert_exported_program_to_serialized_trt_engine=self._convert
        )

    def Input(self, **values):
        return values

    def Device(self, **values):
        return values

    def _compile(self, program, *, dryrun, **settings):
        assert dryrun
        assert isinstance(program, torch.export.ExportedProgram)
        self.calls.append(settings)
        print(self.text)

    def _convert(self, program, **settings):
        self.calls.append(settings)
        if isinstance(self.plan, Exception):
            raise self.plan
        return self.plan


@pytest.fixture
def fake(monkeypatch):
    module = FakeTorchTensorRt(WHOLE, b"plan")
    monkeypatch.setitem(sys.modules, "torch_tensorrt", module)
    monkeypatch.setattr(tensorrt, "installed_flavour", lambda: ("torch-tensorrt", "2.13.0"))
    return module


def test_a_network_is_divided_before_it_is_built_and_then_cached(trained, fake):
    said = []
    profile = ShapeProfile(largest=(64, 64, 64))
    file = build(trained, GPU, profile=profile, say=said.append)
    assert file.plan == b"plan"
    assert any("53 of 53 operators in 1 TensorRT engines" in line for line in said)
    assert any("Graph Structure" in line for line in said)
    dry, real = fake.calls
    assert dry == real
    assert dry["require_full_compilation"] is True
    assert dry["arg_inputs"][0]["max_shape"] == (1, 8, 64, 64, 64)
    assert read_engine(file.path).manifest.targets == ("NVIDIA Test 1", "sm_86")
    assert build(trained, GPU, profile=profile) == file
    assert len(fake.calls) == 2


def test_a_network_that_would_fall_back_to_torch_is_not_built(trained, fake):
    fake.text = DIVIDED
    with pytest.raises(EngineError, match=r"not one TensorRT engine: 51 of 53 operators in 2"):
        build(trained, GPU)
    assert len(fake.calls) == 1
    assert manifests(engines_folder(), "tensorrt") == []


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(torch.cuda.OutOfMemoryError("full"), DeviceMemoryError), (RuntimeError("converter"), EngineError)],
)
def test_a_failed_build_says_why_and_leaves_nothing(trained, fake, failure, kind):
    fake.plan = failure
    with pytest.raises(kind):
        build(trained, GPU)
    assert manifests(engines_folder(), "tensorrt") == []


def test_partitions_are_read():
    assert read_partition(WHOLE) == Partition(operators=53, converted=53, engines=1)
    assert read_partition(WHOLE).is_whole
    assert not read_partition(DIVIDED).is_whole
    assert not Partition(operators=0, converted=0, engines=0).is_whole
    assert not Partition(operators=53, converted=53, engines=2).is_whole
    with pytest.raises(EngineError, match="nothing that this version understands"):
        read_partition("")


def test_the_cache_is_keyed_by_weights_gpu_library_precision_and_sizes(trained, other_trained):
    small = ShapeProfile(largest=(64, 64, 64))
    other_gpu = Gpu(name="NVIDIA Test 2", capability=(8, 6), memory_bytes=1)
    keys = {
        manifest_of(*entry).key
        for entry in (
            (trained, GPU, "torch-tensorrt", "2.13.0", "fp16", ShapeProfile()),
            (other_trained, GPU, "torch-tensorrt", "2.13.0", "fp16", ShapeProfile()),
            (trained, other_gpu, "torch-tensorrt", "2.13.0", "fp16", ShapeProfile()),
            (trained, GPU, "torch-tensorrt-rtx", "2.13.0", "fp16", ShapeProfile()),
            (trained, GPU, "torch-tensorrt", "2.13.1", "fp16", ShapeProfile()),
            (trained, GPU, "torch-tensorrt", "2.13.0", "fp32", ShapeProfile()),
            (trained, GPU, "torch-tensorrt", "2.13.0", "fp16", small),
        )
    }
    assert len(keys) == 7


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
        tensorrt.load(trained)
    assert "torch_tensorrt" not in sys.modules


def test_an_old_gpu_is_refused_by_name(monkeypatch):
    properties = types.SimpleNamespace(name="NVIDIA Old", major=6, minor=1, total_memory=1)
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
