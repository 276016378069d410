"""Figures that say how far a map can be trusted."""

from __future__ import annotations

import numpy as np
import torch

from recon.box import crop_grid, mask_box
from recon.dipole import dipole_field
from recon.harmonic import harmonic_local_field, interior
from recon.types import FloatArray, TotalField

RESIDUAL_LIMIT_PPB = 60.0
CHI_LIMIT_PPM = 5.0


def quality_figures(chi_ppm: FloatArray, total: TotalField) -> dict[str, float]:
    """Return the figures of a referenced map.

    ``data_residual_rms_ppb``: what the field has left after the field of the map and any background are taken off.
    ``data_residual_above_100ppb_percent``: share of the mask where that exceeds 100 ppb.
    ``chi_sd_ppb``, ``chi_largest_ppb``: spread and largest absolute value in the mask.
    """
    box = mask_box(total.mask, margin=4)
    grid = crop_grid(total.grid, box)
    mask = np.ascontiguousarray(total.mask[box])
    explained = dipole_field(torch.from_numpy(chi_ppm[box] * mask), grid, padding=1.3).numpy()
    left = np.where(mask, total.field_ppm[box] - explained, np.float32(0))
    peeled = interior(mask)
    residual = harmonic_local_field(left, mask, grid)[peeled if peeled.any() else mask]
    inside = chi_ppm[box][mask]
    return {
        "data_residual_rms_ppb": float(np.sqrt(np.mean(residual.astype(np.float64) ** 2)) * 1e3),
        "data_residual_above_100ppb_percent": float(np.mean(np.abs(residual) > 0.1) * 100),
        "chi_sd_ppb": float(inside.std() * 1e3),
        "chi_largest_ppb": float(np.abs(inside).max() * 1e3),
    }


def quality_warnings(figures: dict[str, float]) -> tuple[str, ...]:
    """Return sentences for the figures that are out of their usual range."""
    warnings = []
    residual = figures["data_residual_rms_ppb"]
    if residual > RESIDUAL_LIMIT_PPB:
        warnings.append(
            f"The map explains the measured field poorly (residual {residual:.0f} ppb, usually below "
            f"{RESIDUAL_LIMIT_PPB:.0f} ppb): read it with care."
        )
    if figures["chi_largest_ppb"] > CHI_LIMIT_PPM * 1e3:
        warnings.append(f"The map holds values above {CHI_LIMIT_PPM:.0f} ppm, which brain tissue does not reach.")
    return tuple(warnings)
