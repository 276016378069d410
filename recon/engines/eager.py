"""The network as torch runs it, in float32: the reference that every other engine is compared with."""

from __future__ import annotations

import torch

from recon.network.weights import TrainedNetwork


class EagerEngine:
    """Eager float32 torch on the CPU."""

    description = "torch fp32 CPU"

    def __init__(self, trained: TrainedNetwork) -> None:
        self._network = trained.network

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network; see :class:`recon.engines.base.Engine`."""
        with torch.inference_mode():
            return self._network(features)  # type: ignore[no-any-return]
