"""Susceptibility-weighted images: magnitude times a mask from the local field, or from the susceptibility."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from recon.contrasts.types import Contrast
from recon.harmonic import harmonic_local_field
from recon.head import head_mask
from recon.types import BoolArray, FloatArray, GradientEcho, Grid, Reconstruction

SLAB_MM = 9.0


def swi(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the susceptibility-weighted image of all echoes, masked by the local field."""
    total = reconstruction.total_field
    local = harmonic_local_field(total.field_ppm, total.mask, total.grid)
    positive = local[total.mask & (local > 0)]
    scale = 2.5 * float(np.median(positive)) if positive.size else 1.0
    weight = 1 - np.tanh((np.maximum(local, 0) / np.float32(scale)) ** 2)
    return _contrast("swi", "SWI", weighted_magnitude(echoes) * weight, total.mask, {"mask_scale_ppm": scale})


def true_swi(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the magnitude of all echoes, masked by the susceptibility."""
    chi = reconstruction.susceptibility
    weight = np.clip(1 - np.maximum(chi.chi_ppm, 0), 0, 1) ** 4
    return _contrast("true-swi", "SMWI", weighted_magnitude(echoes) * weight, chi.mask, {"chi_limit_ppm": 1.0})


def minimum_projection(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return the sliding minimum of the SWI over slabs along the slice direction."""
    mask = reconstruction.total_field.mask
    made = swi(echoes, reconstruction)
    thickness = echoes.grid.voxel_size_mm[2]
    count = max(1, round(SLAB_MM / thickness))
    lifted = np.where(mask, made.volume, np.inf)
    lowest = ndimage.minimum_filter1d(lifted, count, axis=2, mode="constant", cval=np.inf)
    volume = np.where(mask, lowest, 0).astype(np.float32)
    parameters = {**made.parameters, "slices": count, "slab_mm": count * thickness}
    return Contrast(
        name="min-ip",
        volume=volume,
        unit="1",
        title="SWI minimum intensity projection",
        parameters=parameters,
        references=made.references,
        warnings=made.warnings,
    )


def weighted_magnitude(echoes: GradientEcho) -> FloatArray:
    """Combine the echoes with weights that favour the contrast of short T2*, without the receive profile."""
    weights = [float(np.mean(m)) * t for m, t in zip(echoes.magnitude, echoes.echo_times_s, strict=True)]
    combined = sum(np.float32(w) * m for w, m in zip(weights, echoes.magnitude, strict=True))
    head = head_mask(echoes.magnitude[0])
    return np.asarray(combined / _receive_profile(combined, head, echoes.grid), dtype=np.float32)


def _receive_profile(volume: FloatArray, head: BoolArray, grid: Grid, sigma_mm: float = 7.0) -> FloatArray:
    sigma = [sigma_mm / s for s in grid.voxel_size_mm]
    inside = ndimage.gaussian_filter(head.astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(head, volume, 0), sigma)
    return np.asarray(np.maximum(smooth / np.maximum(inside, 1e-3), 1e-6 * volume.max()), dtype=np.float32)


def _contrast(
    name: str, title: str, volume: FloatArray, mask: BoolArray, parameters: dict[str, str | float | int | bool]
) -> Contrast:
    top = float(np.percentile(volume[mask], 99.5))
    scaled = volume * np.float32(1000 / top) if math.isfinite(top) and top > 0 else volume
    return Contrast(
        name=name,
        volume=np.asarray(scaled, np.float32),
        unit="1",
        title=title,
        parameters=parameters,
        references=(),
        warnings=(),
    )
