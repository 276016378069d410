"""The network as torch runs it on an NVIDIA GPU: for GPUs that TensorRT does not take, and machines without it."""

from __future__ import annotations

import torch

from recon.engines.base import Description, Say, silent
from recon.engines.gpu import Gpu, find_gpu
from recon.engines.precision import in_precision
from recon.errors import DeviceMemoryError, EngineError
from recon.network.weights import TrainedNetwork

NAME = "torch-cuda"
PRECISION = "fp16"


class TorchCudaEngine:
    """Eager torch on a GPU, in the precision that TensorRT's engines have.

    Parameters
    ----------
    trained
        Network.
    gpu
        Where.
    """

    largest = None

    def __init__(self, trained: TrainedNetwork, gpu: Gpu) -> None:
        self._gpu = gpu
        network = in_precision(trained.network, PRECISION).requires_grad_(False)
        self._network = network.to(gpu.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    @property
    def device(self) -> torch.device:
        """The GPU."""
        return self._gpu.device

    def describe(self) -> Description:
        """Say what it is."""
        return Description(engine=NAME, precision=PRECISION, device=self._gpu.name)

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network and wait for it; see :class:`recon.engines.base.Engine`."""
        try:
            with torch.inference_mode():
                output = self._network(features.to(memory_format=torch.channels_last_3d))
            torch.cuda.synchronize(self._gpu.device)
        except torch.cuda.OutOfMemoryError as error:
            raise DeviceMemoryError(f"the GPU has too little free memory ({error})") from error
        except RuntimeError as error:
            raise EngineError(f"torch could not run the network on the GPU: {error}") from error
        return output  # type: ignore[no-any-return]


def load(trained: TrainedNetwork, say: Say = silent) -> TorchCudaEngine:
    """Put the network on the first usable GPU; see :class:`recon.engines.base.EngineFactory`."""
    gpu = find_gpu()
    say(f"loading the network on {gpu.name}")
    return TorchCudaEngine(trained, gpu)
