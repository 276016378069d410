"""The network's weights on disk: safetensors, half precision, with the sizes in the header; never pickle."""

from __future__ import annotations

import hashlib
import importlib.resources
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from recon.errors import WeightsError
from recon.network.features import CHANNELS
from recon.network.model import ModelConfig, TotalFieldNetwork

FORMAT = "qsm-total-field-network-1"


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A network with its weights.

    Parameters
    ----------
    network
        In evaluation mode, float32.
    sha256
        Of the weights file.
    path
        The file.
    """

    network: TotalFieldNetwork
    sha256: str
    path: Path


def shipped_weights() -> Path:
    """Return the weights file that comes with the package."""
    return Path(str(importlib.resources.files("recon") / "weights" / "total_field.safetensors"))


def save_weights(network: TotalFieldNetwork, path: Path) -> None:
    """Write the weights in half precision, atomically."""
    state = {name: value.detach().half().contiguous().cpu() for name, value in network.state_dict().items()}
    metadata = {"format": FORMAT, "channels": "; ".join(CHANNELS), **network.config.to_metadata()}
    partial = path.with_suffix(".part")
    save_file(state, partial, metadata=metadata)
    partial.replace(path)


@cache
def load_weights(path: Path | None = None) -> TrainedNetwork:
    """Load a weights file, the shipped one by default.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or of a network that this version does not know.
    """
    path = path or shipped_weights()
    if not path.is_file():
        raise WeightsError(f"no weights file at {path.name}; reinstall the package or run `qsm-plugin train`")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"weights file {path.name} is damaged ({error}); reinstall the package") from error
    if metadata.get("format") != FORMAT or metadata.get("channels") != "; ".join(CHANNELS):
        raise WeightsError(f"weights file {path.name} belongs to another network; found {metadata.get('format')}")
    network = TotalFieldNetwork(ModelConfig.from_metadata(metadata))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"weights file {path.name} does not fit its own header") from error
    check_finite(network)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return TrainedNetwork(network=network.eval().requires_grad_(False), sha256=digest, path=path)


def check_finite(network: TotalFieldNetwork) -> None:
    """Raise if any weight is not a number: such a network makes silent nonsense.

    Raises
    ------
    WeightsError
        Naming the parameter.
    """
    for name, value in network.state_dict().items():
        if not bool(torch.isfinite(value).all()):
            raise WeightsError(f"parameter {name} is not finite")
