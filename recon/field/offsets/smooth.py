"""Smooth phases from noisy phasors: a low-order polynomial plus a Gaussian-smoothed remainder.

Smoothing alone is biased at the head's rim, where half of the neighbourhood is missing; the
polynomial takes the slope away first.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from recon.field.constants import FIELD
from recon.field.unwrap.romeo import unwrap
from recon.operators.coarse import ComplexArray
from recon.operators.polynomial import Polynomial, fit_polynomial
from recon.types import FloatArray


def gaussian(phasors: ComplexArray, cell_mm: tuple[float, float, float], sigma_mm: float) -> ComplexArray:
    """Return the phasors smoothed by a Gaussian with a standard deviation in mm; nothing outside counts."""
    sigma = [sigma_mm / d for d in cell_mm]
    smoothed: ComplexArray = ndimage.gaussian_filter(phasors, sigma, mode="constant", truncate=3.0)
    return smoothed


def cell_weights(phasors: ComplexArray) -> FloatArray:
    """Return how much each cell counts, 0..1: its coherent sum beside that of strong cells."""
    strength = np.abs(phasors)
    strong = float(np.percentile(strength[strength > 0], 90)) if np.any(strength > 0) else 1.0
    weights: FloatArray = np.minimum(1.0, strength / strong).astype(np.float32)
    weights[weights < FIELD.weak_cell_share] = 0
    return weights


def phase_trend(phasors: ComplexArray, cell_mm: tuple[float, float, float], order: int) -> Polynomial:
    """Return the polynomial that fits the unwrapped phase of noisy phasors; arguments as for :func:`smooth_phase`."""
    weights = cell_weights(phasors)
    calm = gaussian(phasors, cell_mm, FIELD.offset_smoothing_mm / 2)
    unwrapped = unwrap(
        np.angle(calm).astype(np.float32), weights > 0, magnitude=np.abs(calm).astype(np.float32)
    ).phase_rad
    # Back to the cells as they are: what was smoothed at the rim would bend the polynomial.
    unwrapped = unwrapped + np.angle(phasors * np.exp(-1j * unwrapped)).astype(np.float32)
    return fit_polynomial(unwrapped, weights, cell_mm, order)


def smooth_phase(phasors: ComplexArray, cell_mm: tuple[float, float, float], order: int = 3) -> FloatArray:
    """Return the smooth phase of noisy phasors, unwrapped, its median closest to zero.

    Parameters
    ----------
    phasors
        ``(x, y, z)`` complex64 on coarse cells; the modulus is the weight, zero where nothing is
        known.
    cell_mm
        Size of a cell.
    order
        Order of the polynomial.

    Returns
    -------
    numpy.ndarray
        ``(x, y, z)`` float32 in radians, defined on all cells.
    """
    weights = cell_weights(phasors)
    trend = phase_trend(phasors, cell_mm, order).on(phasors.shape, cell_mm)
    rest = gaussian(phasors * np.exp(-1j * trend).astype(np.complex64), cell_mm, FIELD.offset_smoothing_mm)
    phase = trend + np.angle(rest).astype(np.float32)
    known = phase[weights > 0]
    centre = float(np.median(known)) if known.size else 0.0
    shifted: FloatArray = phase - np.float32(2 * np.pi * round(centre / (2 * np.pi)))
    return shifted
