"""A TensorRT-RTX engine file that is built ahead of time, on any machine, for GPUs that this machine does not have.

torch.export → ONNX → TensorRT-RTX's builder → one portable plan, which the GPU's own machine finishes in a second or
two when it first loads it. The network is strongly typed: it computes in the precision that the exported graph says,
layer by layer. One optimisation profile with dynamic sizes serves every volume; the price against fixed sizes is that
kernels are chosen for the usual size, and that the first volume of a new size may run on general kernels while better
ones are compiled beside it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch

from recon.engines.base import import_library, installed_version
from recon.engines.engine_file import (
    EngineFile,
    Manifest,
    ShapeProfile,
    cached_or_built,
    mismatch,
    plans,
    read_engine,
)
from recon.engines.folders import engines_folder
from recon.engines.gpu import Gpu
from recon.engines.precision import export
from recon.errors import EngineAbsentError, EngineError, InvalidInputError
from recon.network.weights import TrainedNetwork

NAME = "tensorrt-rtx"
PACKAGE = "tensorrt_rtx"
TARGETS = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_120")
"""Turing, Ampere, Ada, Blackwell; later ones run the code of the nearest earlier one."""
INPUT, OUTPUT = "features", "correction"
"""Names of the plan's tensors."""
_LOG = logging.getLogger(__name__)


def build_ahead_of_time(
    trained: TrainedNetwork,
    folder: Path,
    *,
    targets: Sequence[str] = TARGETS,
    precision: str = "fp16",
    profile: ShapeProfile | None = None,
) -> EngineFile:
    """Build the engine file of a network, or return the one that is already there.

    Parameters
    ----------
    trained
        Network.
    folder
        Gets ``NAME.plan`` and ``NAME.json``.
    targets
        Compute capabilities of the GPUs, as in :data:`TARGETS`.
    precision
        ``"fp16"``, with float32 where accuracy asks for it, or ``"fp32"``.
    profile
        Sizes that the engine takes.

    Raises
    ------
    InvalidInputError
        If there is no such target or precision.
    EngineAbsentError
        If TensorRT-RTX or the ONNX exporter is not installed.
    EngineError
        If the network cannot be built.
    """
    version = _version()
    library = import_library(PACKAGE)
    known = {f"sm_{name.removeprefix('SM')}" for name in library.ComputeCapability.__members__ if name.startswith("SM")}
    unknown = sorted(set(targets) - known)
    if unknown or not targets:
        found = ", ".join(unknown) or "none"
        raise InvalidInputError(f"targets {found}: expected some of {', '.join(sorted(known, key=_number))}")
    manifest = Manifest(
        engine=NAME,
        weights_sha256=trained.sha256,
        precision=precision,
        profile=profile or ShapeProfile(),
        library=PACKAGE,
        library_version=version,
        targets=tuple(sorted(set(targets), key=_number)),
    )
    return cached_or_built(folder, manifest, lambda: _build(library, trained, manifest))


def find_file(trained: TrainedNetwork, gpu: Gpu) -> EngineFile:
    """Return the engine file of these weights, library and GPU.

    Raises
    ------
    EngineAbsentError
        If TensorRT-RTX is not installed, or there is no engine file at all.
    EngineError
        If there are some and none fits; the message says why for each.
    """
    version, reasons = _version(), []
    for path in plans(engines_folder(), NAME):
        try:
            file = read_engine(path)
        except EngineError as damage:
            reasons.append(str(damage))
            continue
        reason = mismatch(file.manifest, weights_sha256=trained.sha256, library_version=version)
        reason = reason or _wrong_target(file.manifest.targets, gpu)
        if not reason:
            return file
        reasons.append(f"{path.name}: {reason}")
    if not reasons:
        raise EngineAbsentError("no engine file was built; `qsm-plugin engine build --ahead-of-time` makes one")
    raise EngineError("; ".join(reasons) + "; build one with `qsm-plugin engine build --ahead-of-time`")


def _version() -> str:
    version = installed_version(PACKAGE)
    if not version:
        raise EngineAbsentError("TensorRT-RTX is not installed; install this package with its 'tensorrt-rtx' extra")
    return version


def _wrong_target(targets: tuple[str, ...], gpu: Gpu) -> str:
    """Say why a plan is not for a GPU: it needs one of its targets or later; which later ones, the library knows."""
    if any(divmod(_number(target), 10) <= gpu.capability for target in targets):
        return ""
    return f"it was built for {', '.join(targets)}, {gpu.name} is {gpu.architecture}"


def _number(target: str) -> int:
    return int(target.removeprefix("sm_"))


def to_onnx(trained: TrainedNetwork, precision: str, profile: ShapeProfile) -> bytes:
    """Return the network as an ONNX model for volumes of any size of a profile.

    Raises
    ------
    EngineAbsentError
        If the exporter is not installed.
    """
    if not (installed_version("onnx") and installed_version("onnxscript")):
        raise EngineAbsentError(
            "the ONNX exporter is not installed; install this package with its 'tensorrt-rtx' extra"
        )
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of its own internals in three ways
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = export(trained.network, precision, profile.largest)
        exported = torch.onnx.export(
            program, dynamo=True, optimize=True, verbose=False, input_names=[INPUT], output_names=[OUTPUT]
        )
    if exported is None:
        raise EngineError("torch could not export the network to ONNX")
    model: bytes = exported.model_proto.SerializeToString()
    return model


def _build(library: ModuleType, trained: TrainedNetwork, manifest: Manifest) -> bytes:
    """Let TensorRT-RTX build a plan; what its logger has to say of errors goes to stderr."""
    _LOG.info("building the network in %s for %s", manifest.precision, ", ".join(manifest.targets))
    logger = library.Logger(library.Logger.ERROR)
    builder = library.Builder(logger)
    network = builder.create_network(1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = library.OnnxParser(network, logger)
    if not parser.parse(to_onnx(trained, manifest.precision, manifest.profile)):
        raise EngineError("TensorRT-RTX cannot read the network; its errors stand above")
    config = builder.create_builder_config()
    config.num_compute_capabilities = len(manifest.targets)
    for index, target in enumerate(manifest.targets):
        config.set_compute_capability(getattr(library.ComputeCapability, f"SM{_number(target)}"), index)
    if manifest.precision == "fp32":
        config.clear_flag(library.BuilderFlag.TF32)
    profile, sizes, channels = builder.create_optimization_profile(), manifest.profile, trained.network.config.inputs
    profile.set_shape(INPUT, *((1, channels, *size) for size in (sizes.smallest, sizes.usual, sizes.largest)))
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError("TensorRT-RTX could not build the network; its errors stand above")
    return bytes(plan)
