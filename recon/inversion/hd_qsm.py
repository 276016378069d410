"""Hybrid data fidelity inversion of the local field: first robust, then accurate.

Stage 1, a few iterations of ``min_χ |w (D χ - f)|₁ + α₁ |∇χ|₁``, is not misled by voxels whose field is wrong; stage 2,
``min_χ ½ |w (D χ - f)|² + α |∇χ|₁``, starts from there and restores the detail (Lambert 2022, doi:10.1002/mrm.29218).
"""

from __future__ import annotations

import torch

from recon.inversion.admm import Splitting, minimise, shrink
from recon.inversion.weights import Progress, data_weights, silent
from recon.types import Grid


def hd_qsm(
    local_field_ppm: torch.Tensor,
    mask: torch.Tensor,
    noise_ppm: torch.Tensor,
    grid: Grid,
    *,
    alpha: float = 2e-4,
    mu_ratio: float = 100.0,
    tolerance: float = 1e-2,
    robust_alpha: float = 0.02,
    outlier_ppm: float = 0.02,
    robust_iterations: int = 20,
    most_iterations: int = 80,
    progress: Progress = silent,
) -> torch.Tensor:
    """Return the susceptibility by L1, then L2, data fidelity with total variation.

    Stage 2 stops when an iteration changes the map by less than ``tolerance`` of its norm; stage 1 has a fixed length.

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
        Weight of the total variation in stage 2, in ppm · mm.
    mu_ratio
        Consistency weight of the slopes over ``alpha``, in stage 2.
    tolerance
        Relative change at which stage 2 stops.
    robust_alpha
        Weight of the total variation in stage 1, in mm.
    outlier_ppm
        What one iteration of stage 1 forgives a voxel of median noise; the inverse of its consistency weight.
    robust_iterations, most_iterations
        Iterations of stage 1, and most of stage 2.
    progress
        Told of each iteration of each stage.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, zero outside the mask.
    """
    split = Splitting(grid=grid, device=local_field_ppm.device)
    weights = split.pad(data_weights(noise_ppm, mask))
    measured = split.pad(local_field_ppm)
    minimise(
        split,
        lambda wanted: measured + shrink(wanted - measured, weights * outlier_ppm),
        alpha=robust_alpha,
        mu_slopes=mu_ratio * robust_alpha,
        mu_field=1.0 / outlier_ppm,
        tolerance=0.0,
        most_iterations=robust_iterations,
        progress=progress,
    )
    split.forget_duals()
    squared = weights**2
    minimise(
        split,
        lambda wanted: (squared * measured + wanted) / (squared + 1.0),
        alpha=alpha,
        mu_slopes=mu_ratio * alpha,
        mu_field=1.0,
        tolerance=tolerance,
        most_iterations=most_iterations,
        progress=progress,
    )
    return split.crop() * mask
