"""Published chains from total field to susceptibility: which background removal goes with which inversion.

All take total field, mask and noise of the field, ``(x, y, z)`` torch tensors, and the grid; not all use the noise.
"""

from __future__ import annotations

import torch

from recon.inversion.hd_qsm import hd_qsm
from recon.inversion.ismv import ismv
from recon.inversion.tgv import tgv
from recon.inversion.tikhonov import tikhonov
from recon.inversion.tkd import tkd
from recon.inversion.tv import tv
from recon.operators.lbv import harmonic_background
from recon.operators.vsharp import vsharp
from recon.types import Grid

Volume = torch.Tensor


def harmonic_tikhonov(
    field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, *, regularisation: float
) -> Volume:
    """Remove the background by its harmonic extension and invert in closed form."""
    return tikhonov(without_harmonic(field_ppm, mask, grid), grid, regularisation) * mask


def vsharp_tkd(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, *, threshold: float) -> Volume:
    """Remove the background by V-SHARP and divide in k-space."""
    return tkd(vsharp(field_ppm, mask, grid), mask, grid, threshold=threshold)


def vsharp_tv(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, *, alpha: float) -> Volume:
    """Remove the background by V-SHARP and invert with total variation."""
    return tv(vsharp(field_ppm, mask, grid), mask, noise_ppm, grid, alpha=alpha)


def ismv_hd_qsm(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, *, alpha: float) -> Volume:
    """Remove the background by iterative spherical means and invert with hybrid data fidelity."""
    return hd_qsm(ismv(field_ppm, mask, grid), mask, noise_ppm, grid, alpha=alpha)


def harmonic_hd_qsm(field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, *, alpha: float) -> Volume:
    """Remove the background by its harmonic extension and invert with hybrid data fidelity."""
    return hd_qsm(without_harmonic(field_ppm, mask, grid), mask, noise_ppm, grid, alpha=alpha)


def total_tgv(
    field_ppm: Volume, mask: Volume, noise_ppm: Volume, grid: Grid, *, alpha_1: float, alpha_0: float
) -> Volume:
    """Invert the total field with total generalised variation; the noise has no part in it."""
    return tgv(field_ppm, mask, grid, alpha_1=alpha_1, alpha_0=alpha_0)


def without_harmonic(field_ppm: Volume, mask: Volume, grid: Grid) -> Volume:
    """Return the total field less the harmonic extension of its values on the mask's surface."""
    background = harmonic_background(field_ppm.cpu().numpy(), mask.cpu().numpy(), grid)
    return (field_ppm - torch.from_numpy(background).to(field_ppm.device)) * mask
