"""TensorRT through Torch-TensorRT: built on the GPU that it will run on, in either flavour of the library.

Torch-TensorRT's dynamo front end turns the exported network into one TensorRT plan. A dry run comes first, prints how
the graph would be divided between TensorRT and torch, and the build fails if any of it would fall back to torch. What
is kept is the plan, not Torch-TensorRT's own archive, which holds pickled settings; TensorRT's runtime loads it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from recon.engines.base import Description, Say, Shape, silent
from recon.engines.engine_file import EngineFile, Manifest, ShapeProfile, cached_or_built
from recon.engines.folders import cache_folder, engines_folder
from recon.engines.gpu import Gpu, find_gpu
from recon.engines.precision import export
from recon.engines.tensorrt.plan import PlanRunner
from recon.errors import DeviceMemoryError, EngineAbsentError, EngineError
from recon.network.weights import TrainedNetwork

NAME = "tensorrt"
FLAVOURS = {"torch-tensorrt": "tensorrt", "torch-tensorrt-rtx": "tensorrt_rtx"}
"""Distributions that offer ``torch_tensorrt``, and the module of the runtime that each stands on."""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """How a dry run divides the network.

    Parameters
    ----------
    operators
        In the graph.
    converted
        Those that TensorRT takes.
    engines
        Parts that would become a TensorRT engine each.
    """

    operators: int
    converted: int
    engines: int

    @property
    def is_whole(self) -> bool:
        """Whether all of the network is one engine."""
        return self.operators == self.converted > 0 and self.engines == 1

    def __str__(self) -> str:
        return f"{self.converted} of {self.operators} operators in {self.engines} TensorRT engines"


class TensorRtEngine:
    """A plan that was built for this GPU.

    Parameters
    ----------
    file
        The plan.
    runner
        The plan, loaded.
    gpu
        Where.
    """

    def __init__(self, file: EngineFile, runner: PlanRunner, gpu: Gpu) -> None:
        self._manifest, self._runner, self._gpu = file.manifest, runner, gpu

    @property
    def device(self) -> torch.device:
        """The GPU."""
        return self._gpu.device

    @property
    def largest(self) -> Shape:
        """As the engine was built."""
        return self._manifest.profile.largest

    def describe(self) -> Description:
        """Say what it is."""
        return Description(engine=NAME, precision=self._manifest.precision, device=self._gpu.name)

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network; see :class:`recon.engines.base.Engine`."""
        return self._runner.run(features)


def load(trained: TrainedNetwork, say: Say = silent) -> TensorRtEngine:
    """Load the engine of these weights and this GPU, built now if it is not in the cache."""
    gpu = find_gpu()
    return _load(build(trained, gpu, say=say), gpu)


def _load(file: EngineFile, gpu: Gpu) -> TensorRtEngine:
    library = importlib.import_module(file.manifest.library)
    kernels = cache_folder("kernels")
    runner = PlanRunner(library, file.plan, gpu.device, kernels and kernels / f"{file.manifest.name}.kernels")
    return TensorRtEngine(file, runner, gpu)


def build(
    trained: TrainedNetwork,
    gpu: Gpu,
    *,
    precision: str = "fp16",
    profile: ShapeProfile | None = None,
    say: Say = silent,
) -> EngineFile:
    """Build the engine of a network for a GPU, or return the one in the cache.

    Parameters
    ----------
    trained
        Network.
    gpu
        Where it will run.
    precision
        ``"fp16"``, with float32 where accuracy asks for it, or ``"fp32"``.
    profile
        Sizes that it takes.
    say
        Told what is done, and how the network is divided.

    Raises
    ------
    EngineAbsentError
        If Torch-TensorRT is not installed.
    EngineError
        If a part of the network would fall back to torch, or the build fails.
    """
    distribution, version = installed_flavour()
    wanted = manifest_of(trained, gpu, distribution, version, precision, profile or ShapeProfile())
    return cached_or_built(engines_folder(), wanted, lambda: _build(trained, wanted, gpu, say), say)


def manifest_of(
    trained: TrainedNetwork, gpu: Gpu, distribution: str, version: str, precision: str, profile: ShapeProfile
) -> Manifest:
    """Return what the cache is keyed by: weights, GPU, library and its version, precision, sizes."""
    return Manifest(
        engine=NAME,
        weights_sha256=trained.sha256,
        precision=precision,
        profile=profile,
        library=FLAVOURS[distribution],
        library_version=f"{distribution} {version}",
        targets=(gpu.name, gpu.architecture),
    )


def installed_flavour() -> tuple[str, str]:
    """Return the distribution that offers ``torch_tensorrt``, and its version.

    Raises
    ------
    EngineAbsentError
        If neither is installed.
    """
    for distribution in FLAVOURS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return distribution, importlib.metadata.version(distribution)
    raise EngineAbsentError(
        "Torch-TensorRT is not installed; install this package with its 'tensorrt' or 'tensorrt-rtx' extra"
    )


def _import() -> ModuleType:
    """Import Torch-TensorRT; only where a GPU is in use, because on other machines the import fails.

    Raises
    ------
    EngineError
        If it cannot be imported.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what goes wrong before it raises
            return importlib.import_module("torch_tensorrt")
    except Exception as error:  # its own checks raise plain Exceptions
        raise EngineError(f"Torch-TensorRT cannot be imported ({error}); do its version and torch's match?") from error


def _build(trained: TrainedNetwork, wanted: Manifest, gpu: Gpu, say: Say) -> bytes:
    torch_tensorrt = _import()
    say(f"exporting the network for {gpu.name}")
    settings = _settings(torch_tensorrt, trained, wanted, gpu)
    text = dry_run(torch_tensorrt, _program(trained, wanted, gpu), settings)
    say(text.strip())
    partition = read_partition(text)
    if not partition.is_whole:
        raise EngineError(f"the network is not one TensorRT engine: {partition}; the rest would fall back to torch")
    say(f"building in {wanted.precision}: {partition}")
    program = _program(trained, wanted, gpu)  # a new one: the dry run takes its own apart
    try:
        plan = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(program, **settings)
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceMemoryError("the GPU has too little free memory to build the engine") from error
    except Exception as error:  # converters raise whatever they like
        raise EngineError(f"Torch-TensorRT could not build the engine ({error})") from error
    return bytes(plan)


def _program(trained: TrainedNetwork, wanted: Manifest, gpu: Gpu) -> torch.export.ExportedProgram:
    return export(trained.network, wanted.precision, wanted.profile.largest, device=str(gpu.device))


def _settings(torch_tensorrt: ModuleType, trained: TrainedNetwork, wanted: Manifest, gpu: Gpu) -> dict[str, Any]:
    channels, sizes = trained.network.config.inputs, wanted.profile
    dynamic = torch_tensorrt.Input(
        min_shape=(1, channels, *sizes.smallest),
        opt_shape=(1, channels, *sizes.usual),
        max_shape=(1, channels, *sizes.largest),
        dtype=torch.float32,
    )
    return {
        "arg_inputs": [dynamic],
        "device": torch_tensorrt.Device(gpu_id=gpu.index),
        "disable_tf32": wanted.precision == "fp32",
        "require_full_compilation": True,
        "min_block_size": 1,
        "immutable_weights": True,
    }


def dry_run(torch_tensorrt: ModuleType, program: torch.export.ExportedProgram, settings: dict[str, Any]) -> str:
    """Return how Torch-TensorRT would divide a network, in its own words.

    Raises
    ------
    EngineError
        If it does not even get so far.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            torch_tensorrt.dynamo.compile(program, **settings, dryrun=True)
    except Exception as error:  # partitioning raises whatever it likes
        raise EngineError(f"Torch-TensorRT could not divide the network ({error})") from error
    return said.getvalue()


def read_partition(text: str) -> Partition:
    """Read what a dry run printed.

    Raises
    ------
    EngineError
        If it printed something else.
    """
    counts = re.search(r"consists of (\d+) Total Operators, of which (\d+) operators are supported", text)
    if counts is None:
        raise EngineError("Torch-TensorRT's dry run said nothing that this version understands")
    engines = len(re.findall(r"TRT Engine #\d+", text))
    in_torch = "currently set to run in Torch" in text
    return Partition(operators=int(counts[1]), converted=int(counts[2]) - in_torch, engines=engines)
