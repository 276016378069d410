"""Whether a head can make the field: its sign and its smooth part, beside what air and tissue must cause.

Phase that was high-pass filtered, as for SWI, has lost its smooth part. Two things tell: over centimetres its mean is
the same everywhere, while unfiltered phase turns several times at a late echo; and the smooth part of its field is far
below that of the head's own shape in air, which no shim takes away.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from recon.errors import InvalidInputError
from recon.field.constants import FIELD
from recon.masking.head import signal_threshold
from recon.masking.rim import BrainMask
from recon.operators.coarse import CoarseGrid, block_mean, block_phasors, coarse_grid
from recon.operators.dipole import dipole_field
from recon.operators.polynomial import fit_polynomial
from recon.types import BoolArray, FloatArray, GradientEcho, Grid

AIR_MINUS_TISSUE_PPM = 9.4
_SHIM_ORDER = 2
_LATE_S_TESLA = 0.05
"""Echo time times B0 from which on unfiltered phase has turned everywhere."""


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


def phase_coherence(echoes: GradientEcho, mask: BoolArray) -> float:
    """Return how much of the last echo's signal, summed in cells of centimetres, has one and the same phase, 0..1."""
    coarse = coarse_grid(echoes.grid, FIELD.coherence_cell_mm)
    phase = echoes.phase_rad[-1]
    cells = block_phasors(phase, phase, 0.0, echoes.magnitude[-1], mask, coarse)
    return float(np.abs(cells.sum()) / max(float(np.abs(cells).sum()), 1e-20))


def compare_with_head_shape(field_ppm: FloatArray, echoes: GradientEcho, brain: BrainMask) -> dict[str, float]:
    """Compare the field with that of the head's own shape; return named figures with their units.

    ``head_shape_correlation``, -1..1: negative where the polarity is inverted; not given where no brain was recognised,
    as in a cut-out of a head, whose shape is not in the image. ``smoothness_left``: small where the
    phase was high-pass filtered; not given for less than ``FIELD.filter_blind_ml``.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32, total field.
    echoes
        The acquisition.
    brain
        The mask; nothing but a recognised brain is refused.

    Raises
    ------
    InvalidInputError
        If the polarity of a brain's phase is clearly inverted, or its smooth part was filtered out.
    """
    grid, magnitude = echoes.grid, echoes.magnitude[0]
    figures = {"phase_coherence": phase_coherence(echoes, brain.mask)}
    coarse = coarse_grid(grid)
    bright = magnitude > signal_threshold(magnitude)
    masked = np.where(brain.mask, field_ppm, np.float32(0))
    tissue, inside, summed = (block_mean(v, coarse) for v in (bright, brain.mask, masked))
    weights = np.where(inside > 0.6, inside, 0).astype(np.float32)
    if np.count_nonzero(weights) < 50:
        return figures
    expected = _unshimmable(head_shape_field(tissue, inside, coarse, grid), weights, coarse)
    mean: FloatArray = (summed / np.maximum(inside, 0.1)).astype(np.float32)
    smooth = _unshimmable(mean, weights, coarse)
    smooth_ppm, expected_ppm = (float(values[weights > 0].std()) for values in (smooth, expected))
    if brain.method != "signal":
        figures["head_shape_correlation"] = polarity_correlation(smooth, expected, weights)
    figures["smooth_field_sd_ppm"] = smooth_ppm
    figures["smooth_field_ratio"] = smooth_ppm / max(expected_ppm, 1e-9)
    is_brain = brain.method == "deepbet"
    if float(brain.mask.sum()) * grid.voxel_volume_mm3 / 1000 >= FIELD.filter_blind_ml:
        # At an early echo the field has not yet turned the phase apart.
        late = min(1.0, echoes.echo_times_s[-1] * echoes.b0_tesla / _LATE_S_TESLA)
        apart = (1 - figures["phase_coherence"]) / (FIELD.filtered_incoherence * late)
        figures["smoothness_left"] = apart + figures["smooth_field_ratio"] / FIELD.filtered_ratio
        if is_brain:
            _refuse_filtered(figures)
    if is_brain and figures["head_shape_correlation"] < FIELD.clearly_inverted:
        raise InvalidInputError(
            "the field runs against the one that the head's own shape makes (correlation "
            f"{figures['head_shape_correlation']:.2f}, expected above 0): the polarity of the phase is inverted; "
            "correct the vendor's sign convention"
        )
    return figures


def _refuse_filtered(figures: dict[str, float]) -> None:
    """Refuse the phase if both figures together say that it was filtered."""
    if figures["smoothness_left"] < FIELD.filtered_sum:
        raise InvalidInputError(
            "the phase was high-pass filtered, as for SWI: the smooth part of the field varies by "
            f"{1000 * figures['smooth_field_sd_ppm']:.0f} ppb, {100 * figures['smooth_field_ratio']:.0f} % of what the "
            f"head's own shape makes (expected above {100 * FIELD.filtered_ratio:.0f} %), and "
            f"{100 * figures['phase_coherence']:.0f} % of the last echo's signal has one phase; send the unfiltered "
            "phase"
        )
