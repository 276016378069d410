"""OpenVINO on the CPU: bfloat16 where the processor has it, else float32."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

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
        ``"bf16"``, ``"f32"``, or empty for the best that the processor has.
    """

    def __init__(self, trained: TrainedNetwork, precision: str = "") -> None:
        try:
            import openvino as ov
        except ImportError as error:
            raise EngineError(f"OpenVINO is not installed ({error}); install openvino or use --engine torch") from error
        core = ov.Core()
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._precision = precision or ("bf16" if "BF16" in capabilities else "f32")
        channels = trained.network.config.inputs
        stride = trained.network.config.stride
        example = torch.zeros(1, channels, 2 * stride, 3 * stride, 4 * stride)
        with warnings.catch_warnings():
            # torch's exporter warns about its own internals.
            warnings.simplefilter("ignore", FutureWarning)
            model = ov.convert_model(torch.export.export(trained.network, (example,)))
        # Convolutions, additions and activations only: nothing in the graph depends on the example's size.
        model.reshape([1, channels, -1, -1, -1])
        settings = {
            "INFERENCE_PRECISION_HINT": self._precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
            "CACHE_DIR": str(_cache_folder()),
        }
        self._compiled = core.compile_model(model, "CPU", settings)

    @property
    def description(self) -> str:
        """Engine, precision and device."""
        return f"openvino {self._precision} CPU"

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network; see :class:`recon.engines.base.Engine`."""
        try:
            result = self._compiled([np.ascontiguousarray(features.numpy())])[0]
        except RuntimeError as error:
            raise EngineError(f"OpenVINO could not run the network: {error}") from error
        return torch.from_numpy(np.array(result, dtype=np.float32))


def _cache_folder() -> Path:
    """Folder of compiled models, of the user who runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "qsm-plugin" / "openvino"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
