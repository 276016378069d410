"""How far each voxel's field is to be believed, relative to the middle voxel."""

from __future__ import annotations

import torch

LARGEST_WEIGHT = 2.0
"""A few voxels of very low noise must not outweigh the rest."""


def data_weights(noise_ppm: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return weights inversely proportional to the field's noise.

    Parameters
    ----------
    noise_ppm
        ``(x, y, z)`` float32 standard deviation of the field; where it is zero throughout the mask nothing is known of
        the noise and all voxels weigh the same.
    mask
        ``(x, y, z)`` bool.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32, 1 at median noise, at most 2, zero outside the mask.
    """
    inside = noise_ppm[mask]
    known = inside[inside > 0]
    if known.numel() == 0:
        return mask.float()
    # A voxel without noise among noisy ones is one of which nothing is known: it gets the median's weight.
    median = known.median()
    noise = torch.where(noise_ppm > 0, noise_ppm, median)
    return torch.clamp(median / noise, max=LARGEST_WEIGHT) * mask
