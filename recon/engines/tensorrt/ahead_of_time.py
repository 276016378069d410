"""Build a TensorRT-RTX engine ahead of time, on any machine, for GPUs that it has not got.

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
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from recon.engines.base import Say, silent
from recon.engines.engine_file import EngineFile, Manifest, ShapeProfile, cached_or_built
from recon.engines.precision import export
from recon.engines.tensorrt.plan import INPUT, OUTPUT
from recon.engines.tensorrt.tensorrt_rtx import NAME, PACKAGE, import_library, library_version
from recon.errors import EngineAbsentError, EngineError, InvalidInputError
from recon.network.weights import TrainedNetwork

TARGETS = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_120")
"""Turing, Ampere, Ada, Blackwell; later ones run the code of the nearest earlier one."""


def build_ahead_of_time(
    trained: TrainedNetwork,
    folder: Path,
    *,
    targets: Sequence[str] = TARGETS,
    precision: str = "fp16",
    profile: ShapeProfile | None = None,
    say: Say = silent,
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
    say
        Told what is done.

    Raises
    ------
    InvalidInputError
        If there is no such target or precision.
    EngineAbsentError
        If TensorRT-RTX or the ONNX exporter is not installed.
    EngineError
        If the network cannot be built.
    """
    library = import_library()
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
        library_version=library_version(),
        targets=tuple(sorted(set(targets), key=_number)),
    )
    return cached_or_built(folder, manifest, lambda: _build(library, trained, manifest, say), say)


def _number(target: str) -> int:
    return int(target.removeprefix("sm_"))


def _build(library: ModuleType, trained: TrainedNetwork, manifest: Manifest, say: Say) -> bytes:
    say("exporting the network to ONNX")
    model = to_onnx(trained, manifest.precision, manifest.profile)
    say(f"building for {', '.join(manifest.targets)} in {manifest.precision}")
    return build_plan(library, model, manifest, trained.network.config.inputs, say)


def to_onnx(trained: TrainedNetwork, precision: str, profile: ShapeProfile) -> bytes:
    """Return the network as an ONNX model for volumes of any size of a profile.

    Raises
    ------
    EngineAbsentError
        If the exporter is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise EngineAbsentError(
            f"the ONNX exporter is not installed ({error}); install this package with its 'tensorrt-rtx' extra"
        ) from error
    with _quiet_exporter():
        program = export(trained.network, precision, profile.largest)
        exported = torch.onnx.export(
            program, dynamo=True, optimize=True, verbose=False, input_names=[INPUT], output_names=[OUTPUT]
        )
    if exported is None:
        raise EngineError("torch could not export the network to ONNX")
    model: bytes = exported.model_proto.SerializeToString()
    return model


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's remarks on its own internals to itself."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def build_plan(library: ModuleType, model: bytes, manifest: Manifest, channels: int, say: Say) -> bytes:
    """Let TensorRT-RTX build a plan.

    Parameters
    ----------
    library
        ``tensorrt_rtx``.
    model
        ONNX.
    manifest
        Targets, profile and precision.
    channels
        Of the input.
    say
        Told of the builder's phases.

    Raises
    ------
    EngineError
        If it cannot be parsed or built.
    """
    remarks = _remarks(library)
    builder = library.Builder(remarks)
    network = builder.create_network(1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = library.OnnxParser(network, remarks)
    if not parser.parse(model):
        errors = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise EngineError(f"TensorRT-RTX cannot read the network: {errors}")
    config = builder.create_builder_config()
    config.num_compute_capabilities = len(manifest.targets)
    for index, target in enumerate(manifest.targets):
        config.set_compute_capability(getattr(library.ComputeCapability, f"SM{_number(target)}"), index)
    if manifest.precision == "fp32":
        config.clear_flag(library.BuilderFlag.TF32)
    profile = builder.create_optimization_profile()
    sizes = manifest.profile
    profile.set_shape(INPUT, *((1, channels, *size) for size in (sizes.smallest, sizes.usual, sizes.largest)))
    config.add_optimization_profile(profile)
    progress = _progress(library, say)
    config.progress_monitor = progress
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"TensorRT-RTX could not build the network: {'; '.join(remarks.errors) or 'no reason given'}")
    return bytes(plan)


def _remarks(library: ModuleType) -> Any:  # noqa: ANN401 - a subclass of the library's, which has no types
    """Return a logger that keeps errors."""

    class Remarks(library.ILogger):  # type: ignore[misc, name-defined]
        """Keeps errors for our own message, and drops the rest."""

        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:  # noqa: ANN401
            """Take a remark."""
            if severity in (library.ILogger.Severity.INTERNAL_ERROR, library.ILogger.Severity.ERROR):
                self.errors.append(message)

    return Remarks()


def _progress(library: ModuleType, say: Say) -> Any:  # noqa: ANN401
    """Return a progress monitor that says which of the builder's own phases begins."""

    class Progress(library.IProgressMonitor):  # type: ignore[misc, name-defined]
        """Tells of phases, not of their steps, which take milliseconds."""

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            """Take note of a phase."""
            if parent is None or not parent.startswith(("Computing", "Timing")):
                say(f"{phase} ({steps} steps)".lower())

        def step_complete(self, phase: str, step: int) -> bool:
            """Go on."""
            del phase, step
            return True

        def phase_finish(self, phase: str) -> None:
            """Take note of nothing."""

    return Progress()
