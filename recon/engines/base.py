"""What every inference engine offers."""

from __future__ import annotations

from typing import Protocol

import torch

from recon.network.weights import TrainedNetwork


class Engine(Protocol):
    """A loaded network, ready to run on volumes of any size that its stride divides."""

    @property
    def description(self) -> str:
        """Engine, precision and device, for provenance: ``"openvino bf16 CPU"``."""
        ...

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Return the correction.

        Parameters
        ----------
        features
            ``(1, channel, x, y, z)`` float32, every axis a multiple of the network's stride.

        Returns
        -------
        torch.Tensor
            ``(1, 1, x, y, z)`` float32 in the network's unit.

        Raises
        ------
        EngineError
            If the device is lost or out of memory.
        """
        ...


class EngineFactory(Protocol):
    """Makes an engine, or says in an EngineError why it cannot on this machine."""

    def __call__(self, trained: TrainedNetwork) -> Engine:
        """Load ``trained`` into a new engine."""
        ...
