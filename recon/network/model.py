"""The network: a residual 3D U-Net that corrects a closed-form susceptibility map.

It works at half resolution (a strided convolution folds 2x2x2 voxels into channels, so nothing is lost) with a light
full-resolution head. No normalisation layers: what it does to a voxel must not depend on the rest of the volume, or the
map would not be linear in the field. The output is unbounded. Convolutions, additions and activations only, so that the
whole of it compiles to TensorRT and OpenVINO.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass

import torch
from torch import nn


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Size of the network.

    Parameters
    ----------
    inputs
        Number of input channels.
    widths
        Channels of each level, finest (half resolution) first.
    head_width
        Channels of the full-resolution head.
    passes
        How often the network is run on its own, data-consistent result (:mod:`recon.network.passes`).
    """

    inputs: int = 8
    widths: tuple[int, ...] = (48, 96, 144, 160)
    head_width: int = 16
    passes: int = 1

    @property
    def stride(self) -> int:
        """Every axis of the input must be a multiple of this."""
        return int(2 ** len(self.widths))

    def to_metadata(self) -> dict[str, str]:
        """Return strings for the header of a weights file."""
        return {k: ",".join(map(str, v)) if isinstance(v, tuple) else str(v) for k, v in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> ModelConfig:
        """Read what :meth:`to_metadata` wrote."""
        return cls(
            inputs=int(metadata["inputs"]),
            widths=tuple(int(w) for w in metadata["widths"].split(",")),
            head_width=int(metadata["head_width"]),
            passes=int(metadata.get("passes", "1")),
        )


class ResidualBlock(nn.Module):
    """``x + conv(act(conv(act(x))))``; the second convolution starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(width, width, 3, padding=1)
        self.second = nn.Conv3d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(n, width, x, y, z)`` to the same shape."""
        y: torch.Tensor = self.first(torch.relu(x))
        y = self.second(torch.relu(y))
        return x.add(y)


class TotalFieldNetwork(nn.Module):
    """From the features of :mod:`recon.network.features` to a correction of the closed-form map.

    The correction is added outside, in float32, so that low precision inside never rounds a strong source.

    Parameters
    ----------
    config
        Sizes.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        pairs = list(itertools.pairwise(widths))
        self.stem = nn.Conv3d(config.inputs, widths[0], 4, stride=2, padding=1)
        self.encoder = nn.ModuleList(ResidualBlock(w) for w in widths)
        self.down = nn.ModuleList(nn.Conv3d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose3d(b, a, 2, stride=2) for a, b in pairs)
        self.decoder = nn.ModuleList(ResidualBlock(a) for a, _ in pairs)
        self.unfold = nn.ConvTranspose3d(widths[0], config.head_width, 2, stride=2)
        self.head = nn.Conv3d(config.head_width + config.inputs, config.head_width, 3, padding=1)
        self.last = nn.Conv3d(config.head_width, 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map ``(n, inputs, x, y, z)`` to ``(n, 1, x, y, z)``; each axis a multiple of ``config.stride``."""
        return self.at_full_resolution(self.at_half_resolution(features), features)

    def at_half_resolution(self, features: torch.Tensor) -> torch.Tensor:
        """Map ``(n, inputs, x, y, z)`` to ``(n, width, x/2, y/2, z/2)``, with the width of the finest level."""
        x = self.stem(features)
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(x)
            if level < len(self.down):
                skips.append(x)
                x = self.down[level](x)
        for level in reversed(range(len(self.up))):
            x = self.decoder[level](self.up[level](x) + skips[level])
        return torch.relu(x)

    def at_full_resolution(self, half: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Map that and the features, or the same part of both, to ``(n, 1, x, y, z)``; it looks two voxels far."""
        x = torch.cat([self.unfold(half), features], dim=1)  # (n, head + inputs, x, y, z)
        return self.last(torch.relu(self.head(x)))  # type: ignore[no-any-return]
