"""TensorRT-RTX: run a portable engine file that was built ahead of time, on any machine."""

from __future__ import annotations

import importlib
import importlib.metadata
from types import ModuleType

import torch

from recon.engines.base import Description, Say, Shape, silent
from recon.engines.engine_file import EngineFile, manifests, mismatch, read_engine
from recon.engines.folders import cache_folder, engines_folder
from recon.engines.gpu import Gpu, find_gpu
from recon.engines.tensorrt.plan import PlanRunner
from recon.errors import EngineAbsentError, EngineError
from recon.network.weights import TrainedNetwork

NAME = "tensorrt-rtx"
PACKAGE = "tensorrt_rtx"


class TensorRtRtxEngine:
    """An engine file on a GPU.

    Parameters
    ----------
    file
        Read and compared with its manifest.
    runner
        Its plan, loaded.
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


def load(trained: TrainedNetwork, say: Say = silent) -> TensorRtRtxEngine:
    """Load the engine file of these weights; see :class:`recon.engines.base.EngineFactory`."""
    gpu = find_gpu()
    library = import_library()
    file = find_file(trained, gpu)
    say(f"loading {file.path.name} on {gpu.name}")
    kernels = cache_folder("kernels")
    cache = None if kernels is None else kernels / f"{file.manifest.name}.kernels"
    runner = PlanRunner(library, file.plan, gpu.device, cache)
    engine = TensorRtRtxEngine(file, runner, gpu)
    channels, stride = trained.network.config.inputs, trained.network.config.stride
    engine.run(torch.zeros(1, channels, 2 * stride, 2 * stride, 2 * stride, device=gpu.device))
    runner.save_kernels()
    return engine


def import_library() -> ModuleType:
    """Import TensorRT-RTX.

    Raises
    ------
    EngineAbsentError
        If it is not installed.
    EngineError
        If it is installed and cannot be imported.
    """
    if not library_version():
        raise EngineAbsentError("TensorRT-RTX is not installed; install this package with its 'tensorrt-rtx' extra")
    try:
        return importlib.import_module(PACKAGE)
    except (ImportError, OSError) as error:
        raise EngineError(f"TensorRT-RTX cannot be imported ({error}); install it anew") from error


def library_version() -> str:
    """Return the installed version of TensorRT-RTX, empty if there is none."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


def find_file(trained: TrainedNetwork, gpu: Gpu) -> EngineFile:
    """Return the engine file of these weights, library and GPU.

    Raises
    ------
    EngineAbsentError
        If there is no engine file at all.
    EngineError
        If there are some and none fits; the message says why for each.
    """
    folder = engines_folder()
    reasons = []
    for path in manifests(folder, NAME):
        try:
            file = read_engine(path)
        except EngineError as damage:
            reasons.append(str(damage))
            continue
        reason = mismatch(file.manifest, weights_sha256=trained.sha256, library_version=library_version())
        reason = reason or _wrong_target(file.manifest.targets, gpu)
        if not reason:
            return file
        reasons.append(f"{path.name}: {reason}")
    if not reasons:
        raise EngineAbsentError("no engine file was built; `qsm-plugin engine build --ahead-of-time` makes one")
    raise EngineError("; ".join(reasons) + "; build one with `qsm-plugin engine build --ahead-of-time`")


def _wrong_target(targets: tuple[str, ...], gpu: Gpu) -> str:
    """Say why a plan is not for a GPU: it needs one of its targets or later; which later ones, the library knows."""
    numbers = [int(target.removeprefix("sm_")) for target in targets]
    if any(divmod(number, 10) <= gpu.capability for number in numbers):
        return ""
    return f"it was built for {', '.join(targets)}, {gpu.name} is {gpu.architecture}"
