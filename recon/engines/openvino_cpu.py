"""OpenVINO on the CPU: bfloat16 where the processor has it, else float32."""

from __future__ import annotations

import os
import sys
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import torch

from recon.engines.base import Description, Say, silent
from recon.engines.folders import cache_folder
from recon.errors import EngineError
from recon.network.weights import TrainedNetwork

# OpenVINO's usage statistics are on by default and leave the machine from a forked child: cut off before its import.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


class OpenVinoEngine:
    """The network compiled by OpenVINO for volumes of any size.

    Parameters
    ----------
    trained
        Network to compile.
    precision
        ``"bf16"``, ``"f32"`` (OpenVINO's names), or empty for the best that the processor has.
    """

    device = torch.device("cpu")
    largest = None

    def __init__(self, trained: TrainedNetwork, precision: str = "") -> None:
        try:
            import openvino as ov
        except ImportError as error:
            raise EngineError(f"OpenVINO is not installed ({error}); install openvino or use --engine torch") from error
        try:
            self._precision, self._compiled = _compile(ov, trained, precision)
        except (OSError, RuntimeError) as error:
            raise EngineError(f"OpenVINO could not compile the network ({error}); use --engine torch") from error

    def describe(self) -> Description:
        """Say what it is."""
        precision = {"f32": "fp32", "f16": "fp16"}.get(self._precision, self._precision)
        return Description(engine="openvino", precision=precision, device="CPU")

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network; see :class:`recon.engines.base.Engine`."""
        try:
            result = self._compiled([np.ascontiguousarray(features.numpy())])[0]
        except RuntimeError as error:
            raise EngineError(f"OpenVINO could not run the network: {error}") from error
        return torch.from_numpy(np.array(result, dtype=np.float32))


def load(trained: TrainedNetwork, say: Say = silent) -> OpenVinoEngine:
    """Compile the network, or load it from the cache of compiled networks."""
    del say
    return OpenVinoEngine(trained)


def _compile(ov: ModuleType, trained: TrainedNetwork, precision: str) -> tuple[str, Any]:
    """Return the precision and the compiled network, for inputs of any size."""
    core = ov.Core()
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    precision = precision or ("bf16" if "BF16" in capabilities else "f32")
    channels, stride = trained.network.config.inputs, trained.network.config.stride
    example = torch.zeros(1, channels, 2 * stride, 3 * stride, 4 * stride)
    with warnings.catch_warnings():
        # torch's exporter warns about its own internals.
        warnings.simplefilter("ignore", FutureWarning)
        model = ov.convert_model(torch.export.export(trained.network, (example,)))
    # Convolutions, additions and activations only: nothing in the graph depends on the example's size.
    model.reshape([1, channels, -1, -1, -1])
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
    }
    cache = cache_folder("openvino")
    if cache is not None:
        settings["CACHE_DIR"] = str(cache)
    return precision, core.compile_model(model, "CPU", settings)
