"""Whether the stated echo times are the true ones, by the structure of the phase at echo time zero.

What coils add is smooth. If all echo times are stated too small by as much, as when the first echo is lost and the
others carry the times of those before them, the phase at echo time zero is the field times the difference, folds and
vessels included. Between 4 and 20 mm the two are compared. The noise of an intercept and that of a field fitted without
one are uncorrelated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from recon.operators.boxes import crop_grid, mask_box
from recon.operators.coarse import block_mean, coarse_grid
from recon.types import BoolArray, FloatArray, Grid

_CELL_MM, _SMOOTH_MM = 4.0, 8.0
_OUTLIER = 4.0
"""Field over its median absolute value from which on a cell is left out: beside strong sources both are wrong."""
_LEAST_CELLS = 100


def echo_time_error_ms(
    intercept_rad: FloatArray, field_rad_per_s: FloatArray, known: BoolArray, grid: Grid
) -> float | None:
    """Return by how much the true echo times are later than the stated ones; None where too little is known.

    Parameters
    ----------
    intercept_rad, field_rad_per_s, known
        ``(x, y, z)`` phase at echo time zero, field, and where both mean something.
    """
    if not known.any():
        return None
    box = mask_box(known, 0)
    cells, inner = coarse_grid(crop_grid(grid, box), _CELL_MM), known[box]
    share = block_mean(inner, cells)
    inside = share > 0.8
    if np.count_nonzero(inside) < _LEAST_CELLS:
        return None
    sigma = [_SMOOTH_MM / mm for mm in cells.cell_mm]
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
    means = [block_mean(v[box] * inner, cells) / np.maximum(share, 0.1) for v in (intercept_rad, field_rad_per_s)]
    intercept, field = (_structure(np.where(inside, mean, np.float32(0)), weight, sigma)[inside] for mean in means)
    ordinary = np.abs(field) < _OUTLIER * np.median(np.abs(field))
    intercept, field = intercept[ordinary], field[ordinary]
    power = float(np.dot(field, field))
    return 1e3 * float(np.dot(intercept, field)) / power if power > 0 else None


def _structure(values: FloatArray, weight: FloatArray, sigma: Sequence[float]) -> FloatArray:
    """Return the cells' values less their smooth part, a Gaussian mean over the cells inside."""
    smooth = ndimage.gaussian_filter(values, sigma) / np.maximum(weight, np.float32(0.05))
    structure: FloatArray = (values - smooth).astype(np.float32)
    return structure
