"""Run a network in training as the service runs it: whole volumes, in mixed precision."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch

from recon.network.model import TotalFieldNetwork
from recon.network.weights import load_weights


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return the context in which layers compute in bfloat16, or in float32 on a processor that would emulate it."""
    native = device.type != "cpu" or any(torch.cpu.get_capabilities().get(f"{unit}_bf16") for unit in ("avx512", "amx"))
    return torch.autocast(device.type, torch.bfloat16, enabled=native)


def mixed_forward(network: TotalFieldNetwork) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that runs ``network`` in mixed precision where it is, for :mod:`recon.network.passes`."""
    device = next(network.parameters()).device

    def forward(stack: torch.Tensor) -> torch.Tensor:
        """Map ``(1, channel, x, y, z)`` to ``(1, 1, x, y, z)`` float32."""
        moved = stack.to(device).to(memory_format=torch.channels_last_3d)
        with torch.no_grad(), mixed_precision(device):
            return network(moved).float().to(stack.device)  # type: ignore[no-any-return]

    return forward


@lru_cache(maxsize=1)
def snapshot_network(path: Path, device: torch.device | str = "cpu") -> TotalFieldNetwork:
    """Load a snapshot, keeping the last one in memory."""
    network = load_weights(path).network.to(device)
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]
