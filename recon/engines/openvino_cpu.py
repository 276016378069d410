"""OpenVINO on the CPU: bfloat16 where the processor has it, else float32."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recon.engines.base import Description, Shape, installed_version
from recon.engines.engine_file import Manifest, cached_or_built
from recon.engines.folders import cache_folder
from recon.errors import EngineError
from recon.network.weights import TrainedNetwork
from recon.options import EngineRow

# OpenVINO's usage statistics are on by default and leave the machine from a forked child: cut off before its import.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402

NAME = "openvino"
_HINTS = {"fp32": "f32", "bf16": "bf16"}
"""OpenVINO's names of precisions."""


class OpenVinoEngine:
    """The network compiled by OpenVINO for volumes of any size.

    Parameters
    ----------
    trained
        Network.
    precision
        ``"fp32"``, or ``"bf16"`` where the processor has it.

    Raises
    ------
    EngineError
        If OpenVINO cannot compile it.
    """

    device = torch.device("cpu")
    largest: Shape | None = None

    def __init__(self, trained: TrainedNetwork, precision: str = "bf16") -> None:
        try:
            converted = _converted(trained)
            length = int.from_bytes(converted[:8], "little")
            model = ov.Core().read_model(converted[8 : 8 + length], converted[8 + length :])
            precision, self._compiled = _compile(model, precision)
        except (OSError, RuntimeError) as error:
            raise EngineError(f"OpenVINO could not compile the network ({error}); use --engine torch") from error
        self.description = Description(engine=NAME, precision=precision, device="CPU")

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network; see :class:`recon.engines.base.Engine`."""
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)  # the layers need the memory: glibc keeps freed arrays below 32 MiB, 0.3 GiB here
        return _run(self._compiled, features)


def load(trained: TrainedNetwork, row: EngineRow) -> OpenVinoEngine:
    """Compile the network, converted now or found in the cache."""
    return OpenVinoEngine(trained, row.precision)


def compile_scripted(network: torch.jit.ScriptModule, channel: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Compile a scripted network of one volume in the processor's best precision.

    It takes ``(1, 1, x, y, z)`` float32 and returns one channel of the output, ``(x, y, z)``.

    Raises
    ------
    EngineError
        If OpenVINO cannot compile it.
    """
    try:
        model = ov.convert_model(network, example_input=torch.zeros(1, 1, 64, 64, 64))
        _, compiled = _compile(model, "bf16")
    except (OSError, RuntimeError) as error:
        raise EngineError(f"OpenVINO cannot compile the network ({error})") from error

    def run(volume: torch.Tensor) -> torch.Tensor:
        found = _run(compiled, volume, (0, channel))
        with suppress(RuntimeError):  # another thread uses it
            compiled.release_memory()  # of its layers, 0.5 GiB here: what follows would come on top
        return found

    return run


def _compile(model: Any, precision: str) -> tuple[str, Any]:  # noqa: ANN401 - OpenVINO has no types
    """Return the precision and the compiled model: one volume as soon as possible, on the process's own cores."""
    core = ov.Core()
    if precision.upper() not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        precision = "fp32"
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
    }
    return precision, core.compile_model(model, "CPU", settings)


def _run(compiled: Any, volume: torch.Tensor, part: tuple[int, ...] = ()) -> torch.Tensor:  # noqa: ANN401
    """Return a part of the output, copied: the next run writes over OpenVINO's own array."""
    return torch.from_numpy(np.array(compiled([np.ascontiguousarray(volume.numpy())])[0][part], dtype=np.float32))


def _converted(trained: TrainedNetwork) -> bytes:
    """Return the converted network, from the cache where there is one: converting takes most of a start."""
    folder = cache_folder(NAME)
    if folder is None:
        return _convert(trained)
    wanted = Manifest(
        engine=NAME,
        weights_sha256=trained.sha256,
        precision="any",
        library=NAME,
        library_version=f"{installed_version(NAME)}, torch {torch.__version__}",
        targets=("CPU",),
    )
    return cached_or_built(folder, wanted, lambda: _convert(trained)).plan


def _convert(trained: TrainedNetwork) -> bytes:
    """Convert the network: the length of OpenVINO's XML in eight bytes, the XML, the weights."""
    channels, stride = trained.network.config.inputs, trained.network.config.stride
    example = torch.zeros(1, channels, 2 * stride, 3 * stride, 4 * stride)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's exporter warns about its own internals
        model = ov.convert_model(torch.export.export(trained.network, (example,)))
    # Convolutions, additions and activations only: nothing in the graph depends on the example's size.
    model.reshape([1, channels, -1, -1, -1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        ov.save_model(model, path, compress_to_fp16=False)
        text, weights = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    return len(text).to_bytes(8, "little") + text + weights
