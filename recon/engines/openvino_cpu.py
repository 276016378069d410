"""OpenVINO on the CPU: bfloat16 where the processor has it, else float32."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from recon.engines.base import Description, Say, silent
from recon.engines.engine_file import Manifest, ShapeProfile, cached_or_built
from recon.engines.folders import cache_folder
from recon.errors import EngineError
from recon.network.weights import TrainedNetwork

# OpenVINO's usage statistics are on by default and leave the machine from a forked child: cut off before its import.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

NAME = "openvino"
_NAMES = {"f32": "fp32", "f16": "fp16"}
"""OpenVINO's names of precisions that are called otherwise here."""


class OpenVinoEngine:
    """The network compiled by OpenVINO for volumes of any size.

    Parameters
    ----------
    trained
        Network to compile.
    precision
        ``"bf16"``, ``"f32"`` (OpenVINO's names), or empty for the best that the processor has.
    say
        Told if the cached network is damaged.
    """

    device = torch.device("cpu")
    largest = None

    def __init__(self, trained: TrainedNetwork, precision: str = "", say: Say = silent) -> None:
        try:
            import openvino as ov
        except ImportError as error:
            raise EngineError(f"OpenVINO is not installed ({error}); install openvino or use --engine torch") from error
        try:
            self._precision, self._compiled = _compile(ov, _model_bytes(ov, trained, say), precision)
        except (OSError, RuntimeError) as error:
            raise EngineError(f"OpenVINO could not compile the network ({error}); use --engine torch") from error

    def describe(self) -> Description:
        """Say what it is."""
        return Description(engine=NAME, precision=_NAMES.get(self._precision, self._precision), device="CPU")

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network; see :class:`recon.engines.base.Engine`."""
        _return_freed_memory()
        try:
            result = self._compiled([np.ascontiguousarray(features.numpy())])[0]
        except RuntimeError as error:
            raise EngineError(f"OpenVINO could not run the network: {error}") from error
        return torch.from_numpy(np.array(result, dtype=np.float32))


def _return_freed_memory() -> None:
    """Give freed arrays back before the layers need theirs: glibc keeps those below 32 MiB, 0.3 GiB here."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def load(trained: TrainedNetwork, say: Say = silent) -> OpenVinoEngine:
    """Compile the network, converted now or found in the cache; see :class:`recon.engines.base.EngineFactory`."""
    return OpenVinoEngine(trained, say=say)


def _compile(ov: ModuleType, converted: bytes, precision: str) -> tuple[str, Any]:
    """Return the precision and the compiled network, for inputs of any size."""
    core = ov.Core()
    precision = precision or _best_precision(core)
    length = int.from_bytes(converted[:8], "little")
    model = core.read_model(converted[8 : 8 + length], converted[8 + length :])
    return precision, core.compile_model(model, "CPU", _settings(precision))


def _best_precision(core: Any) -> str:  # noqa: ANN401 - OpenVINO has no types
    return "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


def _settings(precision: str) -> dict[str, Any]:
    """Ask for one volume as soon as possible, on the cores that the process may use."""
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
    }


def compile_scripted(network: torch.jit.ScriptModule) -> Callable[[torch.Tensor], torch.Tensor]:
    """Compile a scripted network of one volume, ``(1, 1, x, y, z)`` float32, in the processor's best precision.

    Raises
    ------
    EngineError
        If OpenVINO is not installed or cannot compile it.
    """
    try:
        import openvino as ov

        core = ov.Core()
        model = ov.convert_model(network, example_input=torch.zeros(1, 1, 64, 64, 64))
        compiled = core.compile_model(model, "CPU", _settings(_best_precision(core)))
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(f"OpenVINO cannot compile the network ({error})") from error

    def run(volume: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.array(compiled([np.ascontiguousarray(volume.numpy())])[0], dtype=np.float32))

    return run


def _model_bytes(ov: ModuleType, trained: TrainedNetwork, say: Say) -> bytes:
    """Return the converted network, from the cache where there is one: converting takes most of a start."""
    folder = cache_folder(NAME)
    if folder is None:
        return _convert(ov, trained)
    wanted = Manifest(
        engine=NAME,
        weights_sha256=trained.sha256,
        precision="any",
        profile=ShapeProfile(),
        library=NAME,
        library_version=f"{importlib.metadata.version(NAME)}, torch {torch.__version__}",
        targets=("CPU",),
    )
    return cached_or_built(folder, wanted, lambda: _convert(ov, trained), say).plan


def _convert(ov: ModuleType, trained: TrainedNetwork) -> bytes:
    """Convert the network: the length of OpenVINO's XML in eight bytes, the XML, the weights."""
    channels, stride = trained.network.config.inputs, trained.network.config.stride
    example = torch.zeros(1, channels, 2 * stride, 3 * stride, 4 * stride)
    with warnings.catch_warnings():
        # torch's exporter warns about its own internals.
        warnings.simplefilter("ignore", FutureWarning)
        model = ov.convert_model(torch.export.export(trained.network, (example,)))
    # Convolutions, additions and activations only: nothing in the graph depends on the example's size.
    model.reshape([1, channels, -1, -1, -1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        ov.save_model(model, path, compress_to_fp16=False)
        text, weights = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    return len(text).to_bytes(8, "little") + text + weights
