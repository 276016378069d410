"""The network as torch runs it, in float32: the reference that every other engine is compared with."""

from __future__ import annotations

import torch

from recon.engines.base import Description, Say, silent
from recon.errors import EngineError
from recon.network.weights import TrainedNetwork


class EagerEngine:
    """Eager float32 torch on the CPU."""

    device = torch.device("cpu")
    largest = None

    def __init__(self, trained: TrainedNetwork) -> None:
        self._network = trained.network

    def describe(self) -> Description:
        """Say what it is."""
        return Description(engine="torch", precision="fp32", device="CPU")

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network; see :class:`recon.engines.base.Engine`."""
        try:
            with torch.inference_mode():
                return self._network(features)  # type: ignore[no-any-return]
        except RuntimeError as error:
            raise EngineError(f"torch could not run the network: {error}") from error


def load(trained: TrainedNetwork, say: Say = silent) -> EagerEngine:
    """Load the reference."""
    del say
    return EagerEngine(trained)
