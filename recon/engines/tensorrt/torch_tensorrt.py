"""TensorRT through Torch-TensorRT: built on the GPU that it will run on, in either flavour of the library.

Torch-TensorRT's dynamo front end converts the whole exported network into one TensorRT plan, or raises: in a plan
there is no torch to fall back to. The plan is kept, not Torch-TensorRT's own archive, which holds pickled settings.
"""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

import torch

from recon.engines.base import import_library, installed_version
from recon.engines.engine_file import EngineFile, Manifest, ShapeProfile, cached_or_built
from recon.engines.folders import engines_folder
from recon.engines.gpu import Gpu
from recon.engines.precision import export
from recon.errors import DeviceMemoryError, EngineAbsentError, EngineError
from recon.network.weights import TrainedNetwork

NAME = "tensorrt"
FLAVOURS = {"torch-tensorrt": "tensorrt", "torch-tensorrt-rtx": "tensorrt_rtx"}
"""Distributions that offer ``torch_tensorrt``, and the module of the runtime that each stands on."""
_LOG = logging.getLogger(__name__)


def build(
    trained: TrainedNetwork, gpu: Gpu, *, precision: str = "fp16", profile: ShapeProfile | None = None
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

    Raises
    ------
    EngineAbsentError
        If Torch-TensorRT is not installed.
    EngineError
        If TensorRT does not take the whole network, or the build fails.
    """
    distribution, version = installed_flavour()
    wanted = Manifest(
        engine=NAME,
        weights_sha256=trained.sha256,
        precision=precision,
        profile=profile or ShapeProfile(),
        library=FLAVOURS[distribution],
        library_version=f"{distribution} {version}",
        targets=(gpu.name, gpu.architecture),
    )
    return cached_or_built(engines_folder(), wanted, lambda: _build(trained, wanted, gpu))


def installed_flavour() -> tuple[str, str]:
    """Return the distribution that offers ``torch_tensorrt``, and its version.

    Raises
    ------
    EngineAbsentError
        If neither is installed.
    """
    for distribution in FLAVOURS:
        version = installed_version(distribution)
        if version:
            return distribution, version
    raise EngineAbsentError(
        "Torch-TensorRT is not installed; install this package with its 'tensorrt' or 'tensorrt-rtx' extra"
    )


def _build(trained: TrainedNetwork, wanted: Manifest, gpu: Gpu) -> bytes:
    torch_tensorrt = import_library("torch_tensorrt")
    _LOG.info("building the network in %s for %s", wanted.precision, gpu.name)
    program = export(trained.network, wanted.precision, wanted.profile.largest, device=str(gpu.device))
    settings = _settings(torch_tensorrt, trained, wanted, gpu)
    try:
        plan = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(program, **settings)
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceMemoryError("the GPU has too little free memory to build the engine") from error
    except Exception as error:  # converters raise whatever they like
        raise EngineError(f"Torch-TensorRT could not build the whole network as one engine ({error})") from error
    return bytes(plan)


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
        "device": torch_tensorrt.Device(gpu_id=gpu.device.index),
        "disable_tf32": wanted.precision == "fp32",
        "require_full_compilation": True,
        "immutable_weights": True,
    }
