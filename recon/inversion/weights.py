"""How much each voxel's field counts, relative to the voxel of median noise."""

from __future__ import annotations

import torch

LARGEST_WEIGHT = 2.0
"""A few voxels of very low noise must not outweigh the rest."""


def data_weights(noise_ppm: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return weights inversely proportional to the field's noise: 1 at median noise, at most 2, zero outside the mask.

    All are ``(x, y, z)``; noise that is zero throughout the mask is not known, and all voxels weigh the same.
    """
    inside = noise_ppm[mask]
    known = inside[inside > 0]
    if known.numel() == 0:
        return mask.float()
    # A voxel without noise among noisy ones is one of which nothing is known: it gets the median's weight.
    median = known.median()
    noise = torch.where(noise_ppm > 0, noise_ppm, median)
    return torch.clamp(median / noise, max=LARGEST_WEIGHT) * mask
