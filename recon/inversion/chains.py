"""Published chains from total field to susceptibility: which background removal goes with which inversion.

Each takes the usable field, the closed mask and the noise of the field, ``(x, y, z)`` torch tensors, and the grid; not
all use the noise.
"""

from __future__ import annotations

import torch

from recon.inversion.constants import INVERSION
from recon.inversion.hd_qsm import hd_qsm
from recon.inversion.ismv import ismv
from recon.inversion.methods import published
from recon.inversion.tfi import tfi
from recon.inversion.tgv import tgv
from recon.inversion.tikhonov import tikhonov
from recon.inversion.tkd import tkd
from recon.operators.lbv_gpu import without_harmonic
from recon.operators.vsharp import vsharp
from recon.types import Grid

Volume = torch.Tensor


@published("doi:10.1002/nbm.3064", "doi:10.1002/mrm.25029", regularisation=INVERSION.tikhonov_regularisation)
def harmonic_tikhonov(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, regularisation: float) -> Volume:
    """Remove the background by its harmonic extension and invert in closed form."""
    return tikhonov(without_harmonic(field_ppm, mask, grid), grid, regularisation) * mask


@published(
    "doi:10.1016/j.neuroimage.2010.11.088",
    "doi:10.1002/mrm.22135",
    "doi:10.1002/mrm.24405",
    threshold=INVERSION.tkd_threshold,
)
def vsharp_tkd(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, threshold: float) -> Volume:
    """Remove the background by V-SHARP and divide in k-space."""
    return tkd(vsharp(field_ppm, mask, grid), mask, grid, threshold=threshold)


@published("doi:10.1016/j.neuroimage.2010.11.088", "doi:10.1002/mrm.27073", alpha=INVERSION.tv_alpha)
def vsharp_tv(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, alpha: float) -> Volume:
    """Remove the background by V-SHARP and invert with total variation, without a robust stage."""
    local = vsharp(field_ppm, mask, grid)
    return hd_qsm(local, mask, noise_ppm, grid, alpha=alpha, robust_iterations=0, most_iterations=100)


@published("doi:10.1002/mrm.24998", "doi:10.1002/mrm.29218", alpha=INVERSION.hd_qsm_alpha)
def ismv_hd_qsm(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, alpha: float) -> Volume:
    """Remove the background by iterative spherical means and invert with hybrid data fidelity."""
    return hd_qsm(ismv(field_ppm, mask, grid), mask, noise_ppm, grid, alpha=alpha)


@published("doi:10.1002/nbm.3064", "doi:10.1002/mrm.29218", alpha=INVERSION.hd_qsm_alpha)
def harmonic_hd_qsm(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, alpha: float) -> Volume:
    """Remove the background by its harmonic extension and invert with hybrid data fidelity."""
    return hd_qsm(without_harmonic(field_ppm, mask, grid), mask, noise_ppm, grid, alpha=alpha)


@published("doi:10.1002/mrm.26331", regularisation=INVERSION.tfi_regularisation)
def total_tfi(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, regularisation: float) -> Volume:
    """Invert the total field with preconditioned total field inversion."""
    return tfi(field_ppm, mask, noise_ppm, grid, regularisation=regularisation)


@published("doi:10.1016/j.neuroimage.2015.02.041", alpha_1=INVERSION.tgv_alpha_1, alpha_0=INVERSION.tgv_alpha_0)
def total_tgv(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, alpha_1: float, alpha_0: float) -> Volume:
    """Invert the total field with total generalised variation; the noise plays no part in it."""
    return tgv(field_ppm, mask, grid, alpha_1=alpha_1, alpha_0=alpha_0)
