"""The minimum-intensity projection of the SWI: veins that run through slices become lines."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import ndimage

from recon.products.contrasts.constants import CONTRAST
from recon.products.contrasts.weighted import swi
from recon.products.types import Contrast
from recon.types import BoolArray, FloatArray, GradientEcho, Reconstruction


def minimum_projection(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the sliding minimum of the SWI over slabs of 8 to 10 mm along the slice direction.

    One slab is centred on every slice. Only voxels of the mask count, or the dark skull would hide the brain beside
    it; the volume is zero outside the mask.
    """
    made = swi(echoes, reconstruction)
    spacing = echoes.grid.voxel_size_mm[2]
    count = slab_slices(spacing)
    warnings = made.warnings
    if count == 1:
        warnings = (*warnings, f"Slices are {spacing:.1f} mm apart: a slab is a single slice, nothing was projected.")
    return dataclasses.replace(
        made,
        name="min-ip",
        volume=slab_minimum(made.volume, reconstruction.total_field.mask, count),
        title="Minimum intensity projection of the SWI",
        parameters={**made.parameters, "slab_slices": count, "slab_mm": round(count * spacing, 3)},
        warnings=warnings,
    )


def slab_slices(spacing_mm: float) -> int:
    """Return how many slices come nearest to a slab of 9 mm, an odd number where that is within 8 to 10 mm."""
    nearest = max(1, round(CONTRAST.slab_mm / spacing_mm))
    odd = [n for n in (nearest, nearest - 1, nearest + 1) if n % 2 and abs(n * spacing_mm - CONTRAST.slab_mm) <= 1.0]
    return odd[0] if odd else nearest


def slab_minimum(volume: FloatArray, mask: BoolArray, count: int) -> FloatArray:
    """Return the least value of the mask's voxels in each slab of ``count`` slices; zero outside the mask."""
    lifted = np.where(mask, volume, np.float32(np.inf))
    lowest = ndimage.minimum_filter1d(lifted, count, axis=2, mode="constant", cval=np.inf)
    return np.where(mask, lowest, 0).astype(np.float32)
