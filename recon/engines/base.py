"""What every inference engine offers."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import torch

from recon.errors import EngineError

Shape = tuple[int, int, int]


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


class Engine(Protocol):
    """A loaded network, ready to run."""

    description: Description
    device: torch.device
    """Where it expects its input and leaves its output."""
    largest: Shape | None
    """Sizes beyond which a volume is cut into tiles; None where there is no limit."""

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Return the correction, ``(1, 1, x, y, z)`` float32 in the network's unit, or raise what the library raises.

        ``features`` are ``(1, channel, x, y, z)`` float32 on :attr:`device`, every axis a multiple of the network's
        stride; :class:`recon.engines.forward.CheckedForward` checks them. Values outside the mask are not used.
        """
        ...


def installed_version(distribution: str) -> str:
    """Return the version of an installed distribution, empty if there is none."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def import_library(name: str) -> ModuleType:
    """Import an engine's library, only where the engine is used: some fail on machines without a GPU.

    Raises
    ------
    EngineError
        If it cannot be imported.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # torch_tensorrt prints what goes wrong before it raises
            return importlib.import_module(name)
    except Exception as error:  # torch_tensorrt's own checks raise plain Exceptions
        raise EngineError(f"{name} cannot be imported ({error}); does its version match torch's?") from error
