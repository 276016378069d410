"""Closed-form Tikhonov inversion of the local field.

``χ(k) = D(k) f(k) / (D(k)² + λ)``: the minimiser of ``|D χ - f|² + λ |χ|²`` (Bilgic 2014, doi:10.1002/mrm.25029, with
the identity as the regulariser).
"""

from __future__ import annotations

import torch

from recon.operators.dipole import convolve, dipole_kernel, good_fft_shape
from recon.types import Grid

PADDING_MM = 32.0
"""Room for the inverse kernel's tails, so that one side of the head does not streak into the other."""


def padded_shape(grid: Grid) -> tuple[int, int, int]:
    """Return the FFT sizes for inverting on ``grid``."""
    x, y, z = (n + round(PADDING_MM / s) for n, s in zip(grid.shape, grid.voxel_size_mm, strict=True))
    return good_fft_shape((x, y, z))


def tikhonov(local_field_ppm: torch.Tensor, grid: Grid, regularisation: float) -> torch.Tensor:
    """Return the susceptibility.

    Parameters
    ----------
    local_field_ppm
        ``(x, y, z)`` float32, zero outside the mask.
    grid
        Geometry.
    regularisation
        λ; about 0.004 keeps the amplitude, 0.03 keeps noise away.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, not masked.
    """
    shape = padded_shape(grid)
    kernel = dipole_kernel(shape, grid.voxel_size_mm, grid.b0_direction, local_field_ppm.device)
    return convolve(local_field_ppm, kernel / (kernel**2 + regularisation), shape)
