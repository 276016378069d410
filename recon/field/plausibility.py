"""Whether a head can make the field: its sign and its smooth part, beside what air and tissue must cause."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from recon.errors import InvalidInputError
from recon.field.constants import FIELD
from recon.masking.head import signal_threshold
from recon.masking.rim import BrainMask
from recon.operators.coarse import CoarseGrid, block_mean, coarse_grid
from recon.operators.dipole import dipole_field
from recon.operators.polynomial import fit_polynomial
from recon.types import FloatArray, Grid

AIR_MINUS_TISSUE_PPM = 9.4
_SHIM_ORDER = 2


def head_shape_field(tissue: FloatArray, brain: FloatArray, coarse: CoarseGrid, grid: Grid) -> FloatArray:
    """Return the field that a head of uniform tissue in air makes, on coarse cells, in ppm.

    Tissue is what has signal, and some millimetres around the brain: the skull is dark, but it is not air.

    Parameters
    ----------
    tissue, brain
        ``(x, y, z)`` float32 on the cells, share of each that has signal and that is brain; where the head touches a
        face of the volume it continues beyond.
    """
    tissue = np.maximum(tissue, ndimage.binary_dilation(brain > 0.5).astype(np.float32))
    beyond = [n // 2 for n in tissue.shape]
    around = np.pad(tissue, [(n, n) for n in beyond], mode="edge")
    nx, ny, nz = around.shape
    cells = Grid(shape=(nx, ny, nz), voxel_size_mm=coarse.cell_mm, b0_direction=grid.b0_direction)
    made = dipole_field(torch.from_numpy(-AIR_MINUS_TISSUE_PPM * around), cells, padding=1.5).numpy()
    own = tuple(slice(b, b + n) for b, n in zip(beyond, tissue.shape, strict=True))
    cut: FloatArray = np.ascontiguousarray(made[own])
    return cut


def _unshimmable(values: FloatArray, weights: FloatArray, coarse: CoarseGrid) -> FloatArray:
    """Return a field without everything that a shim can change."""
    fitted = fit_polynomial(values, weights, coarse.cell_mm, _SHIM_ORDER)
    left: FloatArray = values - fitted.on(coarse.shape, coarse.cell_mm)
    return left


def polarity_correlation(smooth_ppm: FloatArray, expected_ppm: FloatArray, weights: FloatArray) -> float:
    """Return the weighted correlation of two fields whose shim orders are removed, -1..1."""
    a, b = smooth_ppm[weights > 0], expected_ppm[weights > 0]
    if a.size < 10 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def compare_with_head_shape(
    field_ppm: FloatArray, magnitude: FloatArray, brain: BrainMask, grid: Grid
) -> tuple[tuple[str, ...], dict[str, float]]:
    """Compare the field with that of the head's own shape; return warnings, and named figures with their units.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32, total field.
    magnitude
        ``(x, y, z)`` float32 of the first echo.
    brain
        The mask; of anything but a recognised brain only figures are given.

    Raises
    ------
    InvalidInputError
        If the polarity of a brain's phase is clearly inverted, or its smooth part was filtered out.
    """
    coarse = coarse_grid(grid)
    bright = (magnitude > signal_threshold(magnitude)).astype(np.float32)
    masked = np.where(brain.mask, field_ppm, np.float32(0))
    tissue, inside, summed = (block_mean(v, coarse) for v in (bright, brain.mask.astype(np.float32), masked))
    weights = np.where(inside > 0.6, inside, 0).astype(np.float32)
    if np.count_nonzero(weights) < 50:
        return (), {}
    expected = _unshimmable(head_shape_field(tissue, inside, coarse, grid), weights, coarse)
    mean: FloatArray = (summed / np.maximum(inside, 0.1)).astype(np.float32)
    smooth = _unshimmable(mean, weights, coarse)
    correlation = polarity_correlation(smooth, expected, weights)
    smooth_ppm = float(smooth[weights > 0].std())
    spread_ppm = float(expected[weights > 0].std())
    figures = {
        "head_shape_correlation": correlation,
        "smooth_field_sd_ppm": smooth_ppm,
        "head_shape_scale": correlation * smooth_ppm / max(spread_ppm, 1e-6),
    }
    if brain.method != "deepbet":
        return (), figures
    volume_ml = float(brain.mask.sum()) * grid.voxel_volume_mm3 / 1000
    filtered = smooth_ppm < FIELD.filtered_ppm and volume_ml >= FIELD.filter_blind_ml
    return _polarity_warning(correlation, smooth_ppm, filtered), figures


def _polarity_warning(correlation: float, smooth_ppm: float, filtered: bool) -> tuple[str, ...]:
    if filtered:
        raise InvalidInputError(
            f"the smooth part of the field varies by {1000 * smooth_ppm:.0f} ppb over the brain, expected above "
            f"{1000 * FIELD.filtered_ppm:.0f}: the phase was high-pass filtered (homodyne, as for SWI); send the "
            "unfiltered phase"
        )
    if correlation < FIELD.clearly_inverted:
        raise InvalidInputError(
            f"the field runs against the one that the head's own shape makes (correlation {correlation:.2f}, "
            "expected above 0): the polarity of the phase is inverted; correct the vendor's sign convention"
        )
    if correlation < FIELD.doubtful_polarity:
        return (
            f"The polarity of the phase is doubtful: the field and that of the head's own shape correlate by "
            f"{correlation:.2f}. If veins are dark in the map, the sign is inverted.",
        )
    return ()
