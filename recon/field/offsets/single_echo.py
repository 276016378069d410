"""Phase offset of a single echo: no second echo separates it from the field, but most of it shows in space.

A radio-frequency field satisfies the Helmholtz equation, so the Laplacian of its phase in the head is small and nearly
constant, ``μ0 ω σ / 2`` for each of transmission and reception (Katscher & van den Berg, doi:10.1002/nbm.3729). Such
an offset is harmonic, and goes with the background field, but for one term: ``r²``, which curves the whole map.
It is measured in the map: the bowl it leaves in the local field inverts to one known pattern, wide and smooth, and
tissue, which mostly is near zero, holds little of it. The field of strong sources is removed first.
"""

from __future__ import annotations

import numpy as np
import torch

from recon.field.constants import FIELD
from recon.inversion.tikhonov import tikhonov
from recon.operators.dipole import dipole_field
from recon.operators.lbv import harmonic_local_field, interior, interpolate_doubtful
from recon.operators.polynomial import fit_polynomial
from recon.types import BoolArray, FloatArray, Grid

_ORDER = 2
_ENOUGH_VOXELS = 100_000
_REWEIGHTINGS = 15


def remove_offset(
    field_ppm: FloatArray,
    quality: FloatArray,
    mask: BoolArray,
    grid: Grid,
    *,
    reliable: BoolArray,
    closed_mask: BoolArray,
) -> str:
    """Subtract, in place, the smooth offset of a single echo; return a warning.

    The harmonic part is that of the second-order polynomial which fits the field in the mask; the ``r²`` term comes
    from :func:`curvature_ppm_per_mm2`.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32, changed.
    quality
        ``(x, y, z)`` float32, weight of each voxel.
    mask, reliable, closed_mask, grid
        As in :class:`recon.types.TotalField`.
    """
    harmonic = _harmonic_polynomial(field_ppm, quality, mask, grid)
    field_ppm -= harmonic
    squared = _squared_distance_mm2(grid)
    curvature = curvature_ppm_per_mm2(field_ppm, mask, grid, reliable=reliable, closed_mask=closed_mask)
    curved = np.float32(curvature) * squared
    field_ppm -= curved
    removed = (harmonic + curved)[mask]
    low, high = np.percentile(removed, (1, 99))
    curved_low, curved_high = np.percentile(curved[mask], (1, 99))
    return (
        "Single echo: the phase offset of the coil cannot be measured; a smooth offset of "
        f"{high - low:.2f} ppm across the mask was estimated and removed (its curvature: "
        f"{curved_high - curved_low:.3f} ppm); slow changes across the map are less certain."
    )


def curvature_ppm_per_mm2(
    field_ppm: FloatArray, mask: BoolArray, grid: Grid, *, reliable: BoolArray, closed_mask: BoolArray
) -> float:
    """Return the coefficient of ``r²`` in the field of a single echo; all as in :class:`recon.types.TotalField`."""
    used = interior(interior(mask)) & reliable
    if not used.any():
        return 0.0
    usable = interpolate_doubtful(field_ppm, reliable, mask, grid)
    local = harmonic_local_field(usable, closed_mask, grid)
    bowl = harmonic_local_field(_squared_distance_mm2(grid), closed_mask, grid)
    some = np.flatnonzero(used)[:: max(1, np.count_nonzero(used) // _ENOUGH_VOXELS)]
    its_chi = _inverted(bowl, grid, FIELD.bowl_regularisation).ravel()[some]
    share = _share(local.ravel()[some], bowl.ravel()[some])
    strong, weak = np.zeros_like(local), local
    for _ in range(FIELD.strong_source_rounds):
        strong = _strong_sources(strong, weak - np.float32(share) * bowl, used, closed_mask, grid)
        theirs = np.where(closed_mask, dipole_field(torch.from_numpy(strong), grid).numpy(), np.float32(0))
        weak = local - harmonic_local_field(theirs, closed_mask, grid)
        share = _share(_inverted(weak, grid, FIELD.bowl_regularisation).ravel()[some], its_chi)
    return share


def _share(values: FloatArray, pattern: FloatArray) -> float:
    """Return how much of a pattern there is in values beside a constant, by the least sum of absolute residuals."""
    design = np.stack([pattern, np.ones_like(pattern)], axis=1).astype(np.float64)
    target = values.astype(np.float64)
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    for _ in range(_REWEIGHTINGS):
        residual = np.abs(target - design @ solution)
        weight = 1.0 / np.maximum(residual, 0.3 * np.median(residual) + np.finfo(np.float32).tiny)
        weighted = design * weight[:, None]
        solution = np.linalg.lstsq(weighted.T @ design, weighted.T @ target, rcond=None)[0]
    return float(solution[0])


def _inverted(local_field_ppm: FloatArray, grid: Grid, regularisation: float) -> FloatArray:
    """Return the closed-form susceptibility of a local field."""
    chi: FloatArray = tikhonov(torch.from_numpy(local_field_ppm), grid, regularisation).numpy()
    return chi


def _strong_sources(
    known_ppm: FloatArray, weak_field_ppm: FloatArray, used: BoolArray, mask: BoolArray, grid: Grid
) -> FloatArray:
    """Return the susceptibility of bleeds and calcifications, zero elsewhere.

    The closed form finds part of a strong source; what it left in the field adds the rest.

    Parameters
    ----------
    known_ppm
        ``(x, y, z)`` what is known of them.
    weak_field_ppm
        ``(x, y, z)`` local field without theirs.
    used, mask, grid
        Where the map counts, where there is one, and geometry.
    """
    chi = known_ppm + _inverted(weak_field_ppm, grid, FIELD.strong_source_regularisation)
    chi = chi - np.float32(np.median(chi[used]))
    return np.where(mask & (np.abs(chi) > FIELD.strong_source_ppm), chi, np.float32(0))


def _harmonic_polynomial(field_ppm: FloatArray, quality: FloatArray, mask: BoolArray, grid: Grid) -> FloatArray:
    """Return the second-order polynomial that fits the field in the mask, less its ``r²`` term."""
    step = max(1, round(max(grid.shape) / 48))
    some = (slice(None, None, step),) * 3
    weights = np.where(mask[some], quality[some], 0).astype(np.float32)
    if not np.any(weights):
        weights = mask[some].astype(np.float32)
    x, y, z = (d * step for d in grid.voxel_size_mm)
    return fit_polynomial(field_ppm[some], weights, (x, y, z), _ORDER).harmonic().on(grid.shape, grid.voxel_size_mm)


def _squared_distance_mm2(grid: Grid) -> FloatArray:
    """Return the squared distance from the centre of the volume."""
    x, y, z = (
        ((np.arange(n) - (n - 1) / 2) * d).astype(np.float32) ** 2
        for n, d in zip(grid.shape, grid.voxel_size_mm, strict=True)
    )
    squared: FloatArray = x[:, None, None] + y[None, :, None] + z
    return squared
