"""Whether the stated echo times are the true ones, by the structure of the phase at echo time zero.

What coils add is smooth. If all echo times are stated too small by as much, as when the first echo is lost and the
others carry the times of those before them, the phase at echo time zero is the field times the difference, folds and
vessels included. Between 4 and 20 mm the two are compared. The noise of an intercept and that of a field fitted without
one are uncorrelated.

Beside strong sources and at fringe lines the phase at echo time zero means something else: such cells count little
(Huber 1964, doi:10.1214/aoms/1177703732). How far the estimate can be trusted follows from how much it differs between
blocks of the brain, whose cells are not independent (Liang & Zeger 1986, doi:10.1093/biomet/73.1.13).
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
_HUBER, _ROUNDS = 1.5, 15
"""Residual, in robust standard deviations, beyond which a cell's weight falls, and rounds of weighting."""
_BLOCK_MM = 32.0
"""Edge of the blocks that are taken as independent."""
_LEAST_BLOCKS = 8
"""Fewer do not show how much they differ."""
_STANDARD_ERRORS = 2.0
"""How many standard errors are taken off the estimate."""


def echo_time_error_ms(
    intercept_rad: FloatArray, field_rad_per_s: FloatArray, known: BoolArray, grid: Grid
) -> float | None:
    """Return by how much the stated echo times are wrong at least; None where too little is known.

    Two standard errors are taken off the estimate: where the phase at echo time zero is too noisy, this is zero.

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
    blocks = np.floor(np.argwhere(inside)[ordinary] * np.asarray(cells.cell_mm) / _BLOCK_MM)
    block = np.unique(blocks, axis=0, return_inverse=True)[1].reshape(-1)
    if block.max(initial=-1) + 1 < _LEAST_BLOCKS or not np.any(field[ordinary]):
        return None
    late_s, error_s = _slope(intercept[ordinary], field[ordinary], block)
    return 1e3 * max(0.0, abs(late_s) - _STANDARD_ERRORS * error_s)


def _slope(values: FloatArray, over: FloatArray, block: np.ndarray) -> tuple[float, float]:
    """Return the robust slope of values, and its standard error by what their blocks, numbered, differ in."""
    weight = np.ones_like(over)
    slope = 0.0
    for _ in range(_ROUNDS):
        slope = float(np.dot(weight * over, values)) / float(np.dot(weight * over, over))
        distance = np.abs(values - slope * over)
        usual = _HUBER * 1.4826 * float(np.median(distance))
        if usual == 0:
            return slope, 0.0
        weight = np.minimum(1, usual / np.maximum(distance, np.finfo(np.float32).tiny)).astype(np.float32)
    scores = np.bincount(block, weight * over * (values - slope * over))
    # A cell beyond the limit pulls with a force that no longer changes: it does not make the slope more certain.
    certain = float(np.dot((weight == 1) * over, over))
    return slope, float(np.linalg.norm(scores)) / certain if certain > 0 else np.inf


def _structure(values: FloatArray, weight: FloatArray, sigma: Sequence[float]) -> FloatArray:
    """Return the cells' values less their smooth part, a Gaussian mean over the cells inside."""
    smooth = ndimage.gaussian_filter(values, sigma) / np.maximum(weight, np.float32(0.05))
    structure: FloatArray = (values - smooth).astype(np.float32)
    return structure
