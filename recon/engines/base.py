"""What every inference engine offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from recon.network.weights import TrainedNetwork

Say = Callable[[str], None]
"""Is told, in a line for people, what takes long."""

Shape = tuple[int, int, int]


def silent(_line: str, /) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What an engine is, for provenance.

    Parameters
    ----------
    engine
        Its library: ``"openvino"``.
    precision
        What most layers compute in: ``"fp32"``, ``"fp16"``, ``"bf16"``.
    device
        Where: ``"CPU"``, or the GPU's name.
    """

    engine: str
    precision: str
    device: str

    def __str__(self) -> str:
        return f"{self.engine} {self.precision} {self.device}"

    @property
    def is_exact(self) -> bool:
        """Whether it computes in float32 throughout."""
        return self.precision == "fp32"


class Engine(Protocol):
    """A loaded network, ready to run."""

    @property
    def device(self) -> torch.device:
        """Where it wants its input and leaves its output."""
        ...

    @property
    def largest(self) -> Shape | None:
        """Sizes beyond which a volume is cut into tiles; None where there is no limit."""
        ...

    def describe(self) -> Description:
        """Say what it is."""
        ...

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Return the correction.

        Parameters
        ----------
        features
            ``(1, channel, x, y, z)`` float32 on :attr:`device`, every axis a multiple of the network's stride.

        Returns
        -------
        torch.Tensor
            ``(1, 1, x, y, z)`` float32 in the network's unit.

        Raises
        ------
        DeviceMemoryError
            If the device has too little free memory.
        EngineError
            If the device is lost, or anything else goes wrong.
        """
        ...


class EngineFactory(Protocol):
    """Loads an engine: the ``load`` of an engine's file."""

    def __call__(self, trained: TrainedNetwork, say: Say = silent) -> Engine:
        """Load ``trained`` into a new engine.

        Raises
        ------
        EngineAbsentError
            If it has nothing to run on or with on this machine.
        EngineError
            If it is damaged or does not fit.
        """
        ...
