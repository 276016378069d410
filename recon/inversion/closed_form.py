"""Inversion of the local field by one multiplication in k-space."""

from __future__ import annotations

import torch

from recon.inversion.constants import INVERSION
from recon.operators.dipole import convolve, dipole_kernel, good_fft_shape
from recon.types import Grid

PADDING_MM = 32.0
"""Room for the inverse kernel's tails, so that one side of the head does not streak into the other."""


def padded_shape(grid: Grid) -> tuple[int, int, int]:
    """Return the FFT sizes for inverting on ``grid``."""
    return good_fft_shape(n + round(PADDING_MM / s) for n, s in zip(grid.shape, grid.voxel_size_mm, strict=True))


def tikhonov(local_field_ppm: torch.Tensor, grid: Grid, regularisation: float) -> torch.Tensor:
    """Return ``χ(k) = D(k) f(k) / (D(k)² + λ)``, the minimiser of ``|D χ - f|² + λ |χ|²``; in ppm, not masked.

    Bilgic 2014, doi:10.1002/mrm.25029, with the identity as the regulariser. λ of about 0.004 keeps the amplitude,
    0.03 suppresses noise. ``local_field_ppm`` is ``(x, y, z)`` float32, zero outside the mask.
    """
    shape = padded_shape(grid)
    kernel = dipole_kernel(shape, grid, local_field_ppm.device)
    return convolve(local_field_ppm, kernel / (kernel**2 + regularisation), shape)


def tkd(
    local_field_ppm: torch.Tensor, mask: torch.Tensor, grid: Grid, *, threshold: float = INVERSION.tkd_threshold
) -> torch.Tensor:
    """Return the susceptibility by thresholded k-space division, in ppm, zero outside the mask; linear in the field.

    ``χ(k) = f(k) / D(k)`` where ``|D| > t``, and ``f(k) · sign(D) / t`` elsewhere, divided by the mean of what that
    leaves of a point source. Thresholding: Shmueli 2009, doi:10.1002/mrm.22135; amplitude: Schweser 2013,
    doi:10.1002/mrm.24405.

    Parameters
    ----------
    local_field_ppm, mask
        ``(x, y, z)``: float32, zero outside the mask; bool.
    threshold
        Least absolute value of the kernel that is divided by, 0 to 2/3.
    """
    shape = padded_shape(grid)
    kernel = dipole_kernel(shape, grid, local_field_ppm.device)
    sign = torch.where(kernel < 0, -1.0, 1.0)
    inverse = sign / kernel.abs().clamp(min=threshold)
    inverse[0, 0, 0] = 0.0
    kept = (inverse * kernel).mean()
    return convolve(local_field_ppm, inverse / kept, shape) * mask
