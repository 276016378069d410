"""Phase offset of a single echo: it cannot be told from the field, so only its smoothest part is taken out."""

from __future__ import annotations

import numpy as np

from recon.phase.polynomial import fit_polynomial
from recon.types import BoolArray, FloatArray, Grid

_ORDER = 2


def remove_offset(field_ppm: FloatArray, quality: FloatArray, mask: BoolArray, grid: Grid) -> str:
    """Subtract, in place, the second-order polynomial that fits the field in the mask; return a warning.

    A shimmed field has next to no such part of its own, while the coil's offset has little else.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32, changed.
    quality
        ``(x, y, z)`` float32, weight of each voxel.
    mask
        ``(x, y, z)`` bool.
    grid
        Geometry.
    """
    step = max(1, round(max(grid.shape) / 48))
    some = (slice(None, None, step),) * 3
    weights = np.where(mask[some], quality[some], 0).astype(np.float32)
    if not np.any(weights):
        weights = mask[some].astype(np.float32)
    x, y, z = (d * step for d in grid.voxel_size_mm)
    fitted = fit_polynomial(field_ppm[some], weights, (x, y, z), _ORDER).on(grid.shape, grid.voxel_size_mm)
    field_ppm -= fitted
    low, high = np.percentile(fitted[mask], (1, 99))
    return (
        "Single echo: the phase offset of the coil cannot be measured; a second-order polynomial "
        f"({high - low:.2f} ppm across the mask) was removed, higher orders remain in the map."
    )
