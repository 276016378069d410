"""Thresholded k-space division of the local field.

``χ(k) = f(k) / D(k)`` where ``|D| > t``, and ``f(k) · sign(D) / t`` elsewhere, divided by the mean of what that leaves
of a point source. Thresholding: Shmueli 2009, doi:10.1002/mrm.22135; amplitude: Schweser 2013, doi:10.1002/mrm.24405.
"""

from __future__ import annotations

import torch

from recon.inversion.constants import INVERSION
from recon.inversion.tikhonov import padded_shape
from recon.operators.dipole import convolve, dipole_kernel
from recon.types import Grid


def tkd(
    local_field_ppm: torch.Tensor, mask: torch.Tensor, grid: Grid, *, threshold: float = INVERSION.tkd_threshold
) -> torch.Tensor:
    """Return the susceptibility by thresholded k-space division; linear in the field.

    Parameters
    ----------
    local_field_ppm
        ``(x, y, z)`` float32, zero outside the mask.
    mask
        ``(x, y, z)`` bool.
    grid
        Geometry.
    threshold
        Least absolute value of the kernel that is divided by, 0 to 2/3.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, zero outside the mask.
    """
    shape = padded_shape(grid)
    kernel = dipole_kernel(shape, grid.voxel_size_mm, grid.b0_direction, local_field_ppm.device)
    sign = torch.where(kernel < 0, -1.0, 1.0)
    inverse = sign / kernel.abs().clamp(min=threshold)
    inverse[0, 0, 0] = 0.0
    kept = (inverse * kernel).mean()
    return convolve(local_field_ppm, inverse / kept, shape) * mask
