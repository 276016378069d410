"""The network in half precision, with float32 where accuracy asks for it.

Weights and activations are float16; input and output are float32, and so is the last convolution: its output is the
correction itself, whose largest values (strong sources) half precision would round to about 1 ppb. The casts are in the
graph, so that a strongly typed TensorRT network computes exactly this.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from recon.engines.base import Shape
from recon.errors import InvalidInputError
from recon.network.model import TotalFieldNetwork

PRECISIONS = ("fp16", "fp32")


class MixedPrecision(nn.Module):
    """A network in float16 but for its input, its last layer and its output.

    Parameters
    ----------
    network
        Left as it is; a copy is converted.
    """

    def __init__(self, network: TotalFieldNetwork) -> None:
        super().__init__()
        self.half_network = copy.deepcopy(network).half()
        self.half_network.last = copy.deepcopy(network.last)
        self.half_network.last.register_forward_pre_hook(lambda _layer, inputs: (inputs[0].float(),))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map float32 features to a float32 correction."""
        return self.half_network(features.half())  # type: ignore[no-any-return]


def in_precision(network: TotalFieldNetwork, precision: str) -> nn.Module:
    """Return the network as an engine is to compute it.

    Raises
    ------
    InvalidInputError
        If there is no such precision.
    """
    if precision not in PRECISIONS:
        raise InvalidInputError(f"no precision {precision!r}: expected {' or '.join(PRECISIONS)}")
    return (MixedPrecision(network) if precision == "fp16" else copy.deepcopy(network)).eval()


def export(
    network: TotalFieldNetwork, precision: str, largest: Shape, device: str = "cpu"
) -> torch.export.ExportedProgram:
    """Export the network for volumes of any size up to ``largest``.

    Parameters
    ----------
    network
        To export.
    precision
        One of :data:`PRECISIONS`.
    largest
        Greatest sizes; every axis is a multiple of the network's stride, which the graph knows.
    device
        Where the exported weights lie.
    """
    stride, channels = network.config.stride, network.config.inputs
    axes = {
        2 + axis: stride * torch.export.Dim(f"{name}_blocks", min=1, max=size // stride)
        for axis, (name, size) in enumerate(zip("xyz", largest, strict=True))
    }
    example = torch.zeros(1, channels, 2 * stride, 3 * stride, 4 * stride, device=device)
    module = in_precision(network, precision).to(device).requires_grad_(False)
    return torch.export.export(module, (example,), dynamic_shapes=(axes,))
