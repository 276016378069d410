"""The network as torch runs it: in float32 on the CPU, the reference; in half precision on a GPU without TensorRT."""

from __future__ import annotations

import torch

from recon.engines.base import Description
from recon.engines.gpu import Gpu, find_gpu
from recon.engines.precision import in_precision
from recon.network.weights import TrainedNetwork
from recon.options import EngineRow


class TorchEngine:
    """Eager torch; on the CPU in float32 the reference that every other engine is compared with.

    Parameters
    ----------
    trained
        Network.
    gpu
        Where it runs; None for the CPU.
    precision
        One of :data:`recon.engines.precision.PRECISIONS`.
    """

    largest = None

    def __init__(self, trained: TrainedNetwork, gpu: Gpu | None = None, precision: str = "fp32") -> None:
        self.device = torch.device("cpu") if gpu is None else gpu.device
        self._format = torch.preserve_format if gpu is None else torch.channels_last_3d
        self._description = Description(
            engine="torch" if gpu is None else "torch-cuda",
            precision=precision,
            device="CPU" if gpu is None else gpu.name,
        )
        network = in_precision(trained.network, precision).requires_grad_(False)
        self._network = network.to(self.device, memory_format=self._format)  # type: ignore[call-overload]

    def describe(self) -> Description:
        """Say what it is."""
        return self._description

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network and wait for it; see :class:`recon.engines.base.Engine`."""
        with torch.inference_mode():
            output: torch.Tensor = self._network(features.to(memory_format=self._format))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return output


def load(trained: TrainedNetwork, row: EngineRow) -> TorchEngine:
    """Load the network on the row's device."""
    return TorchEngine(trained, find_gpu() if row.device == "gpu" else None, row.precision)
