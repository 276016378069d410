"""What training minimises: error, lost edges, and lost amplitude."""

from __future__ import annotations

import torch

_EPSILON = 0.05


def training_loss(prediction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the loss of a batch.

    The mean absolute error keeps bleeds from ruling; the error of the gradients keeps edges; the error relative to the
    patch's own contrast is the figure that evaluation uses.

    Parameters
    ----------
    prediction, target
        ``(n, 1, x, y, z)`` in the network's unit.
    weight
        ``(n, 1, x, y, z)``, 1 where the loss counts.
    """
    count = weight.sum().clamp(min=1.0)
    error = (prediction - target) * weight
    absolute = error.abs().sum() / count
    squared = (error**2).sum(dim=(1, 2, 3, 4))
    contrast = ((target * weight) ** 2).sum(dim=(1, 2, 3, 4))
    floor = _EPSILON * weight.sum(dim=(1, 2, 3, 4))
    relative = torch.sqrt((squared + 1e-6) / (contrast + floor + 1e-3)).mean()
    return 2.0 * absolute + _gradient_error(error, weight) + 0.5 * relative


def _gradient_error(error: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute difference of the error between neighbours that both count."""
    total = torch.zeros((), device=error.device)
    for axis in (2, 3, 4):
        n = error.shape[axis] - 1
        both = weight.narrow(axis, 0, n) * weight.narrow(axis, 1, n)
        difference = (error.narrow(axis, 1, n) - error.narrow(axis, 0, n)) * both
        total = total + difference.abs().sum() / both.sum().clamp(min=1.0)
    return total
