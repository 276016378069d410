"""What training minimises: error, lost edges, lost amplitude, and the error of a region's mean."""

from __future__ import annotations

import torch

_EPSILON = 0.05
_BLOCKS = (4, 8)
"""Edges in voxels of the regions whose mean error counts by itself: it is what a nucleus is read by."""


def training_loss(prediction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the loss of a batch.

    The mean absolute error keeps bleeds from dominating; the error of the gradients keeps edges; the error relative to
    the patch's own contrast is the figure that evaluation uses. All are ``(n, 1, x, y, z)``: prediction and target in
    the network's unit, ``weight`` 1 where the loss counts.
    """
    count = weight.sum().clamp(min=1.0)
    error = (prediction - target) * weight
    absolute = error.abs().sum() / count
    squared = (error**2).sum(dim=(1, 2, 3, 4))
    contrast = ((target * weight) ** 2).sum(dim=(1, 2, 3, 4))
    floor = _EPSILON * weight.sum(dim=(1, 2, 3, 4))
    relative = torch.sqrt((squared + 1e-6) / (contrast + floor + 1e-3)).mean()
    return 2.0 * (absolute + _regional_error(error, weight)) + _gradient_error(error, weight) + 0.5 * relative


def _regional_error(error: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute error of the means over blocks, summed over the sizes of block that fit."""
    total = torch.zeros((), device=error.device)
    for edge in (edge for edge in _BLOCKS if edge <= min(error.shape[2:])):
        share = torch.nn.functional.avg_pool3d(weight, edge)
        mean = torch.nn.functional.avg_pool3d(error, edge)
        total = total + mean.abs().sum() / share.sum().clamp(min=1.0 / edge**3)
    return total


def _gradient_error(error: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute difference of the error between neighbours that both count."""
    total = torch.zeros((), device=error.device)
    for axis in (2, 3, 4):
        n = error.shape[axis] - 1
        both = weight.narrow(axis, 0, n) * weight.narrow(axis, 1, n)
        difference = (error.narrow(axis, 1, n) - error.narrow(axis, 0, n)) * both
        total = total + difference.abs().sum() / both.sum().clamp(min=1.0)
    return total
