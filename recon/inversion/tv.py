"""Total variation inversion of the local field.

``min_χ ½ |w (D χ - f)|² + α |∇χ|₁`` by alternating directions (linear variant of FANSI: Milovic 2018,
doi:10.1002/mrm.27073).
"""

from __future__ import annotations

import torch

from recon.inversion.admm import Splitting, minimise
from recon.inversion.weights import Progress, data_weights, silent
from recon.types import Grid


def tv(
    local_field_ppm: torch.Tensor,
    mask: torch.Tensor,
    noise_ppm: torch.Tensor,
    grid: Grid,
    *,
    alpha: float = 2e-4,
    mu_ratio: float = 100.0,
    tolerance: float = 1e-2,
    most_iterations: int = 100,
    progress: Progress = silent,
) -> torch.Tensor:
    """Return the susceptibility that is smooth between edges.

    Stops when an iteration changes the map by less than ``tolerance`` of its norm.

    Parameters
    ----------
    local_field_ppm
        ``(x, y, z)`` float32, zero outside the mask.
    mask
        ``(x, y, z)`` bool.
    noise_ppm
        ``(x, y, z)`` float32 standard deviation of the field; the weights are inverse to it.
    grid
        Geometry.
    alpha
        Weight of the total variation, in ppm · mm.
    mu_ratio
        Consistency weight of the slopes over ``alpha``; that of the field is 1.
    tolerance
        Relative change at which to stop.
    most_iterations
        Most iterations.
    progress
        Told of each iteration.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, zero outside the mask.
    """
    split = Splitting(grid=grid, device=local_field_ppm.device)
    squared = split.pad(data_weights(noise_ppm, mask) ** 2)
    weighted = squared * split.pad(local_field_ppm)
    minimise(
        split,
        lambda wanted: (weighted + wanted) / (squared + 1.0),
        alpha=alpha,
        mu_slopes=mu_ratio * alpha,
        mu_field=1.0,
        tolerance=tolerance,
        most_iterations=most_iterations,
        progress=progress,
    )
    return split.crop() * mask
