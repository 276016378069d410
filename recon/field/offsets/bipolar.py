"""Bipolar readout: odd and even echoes have different phase offsets.

Gradients of opposite sign leave different eddy-current phases and gradient delays. The difference is
found in the data, never taken from a header: with three echoes the difference between the two offsets
is known but for a constant, and a real one is a ramp, mostly along the readout.

References
----------
Li et al., Magn Reson Imaging 2015, PMC4889136 (the ramp); Eckstein et al., doi:10.1002/mrm.26963 (the offsets).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon.field.offsets.mcpc3ds import Offsets, offset_phasors, parity_system
from recon.field.offsets.smooth import cell_weights, smooth_phase
from recon.field.template import Template
from recon.operators.coarse import coarse_grid
from recon.operators.polynomial import fit_polynomial
from recon.types import BoolArray, FloatArray, GradientEcho

RAMP_RAD = 0.3
"""Least 5th-to-95th percentile span of the ramp that counts as bipolar."""
EXPLAINED = 0.5
"""Least share of the difference's variance that the ramp has to explain."""


@dataclass(frozen=True, kw_only=True)
class Bipolar:
    """Offsets of odd and even echoes, and whether they differ.

    Parameters
    ----------
    detected
        True if the difference is a clear ramp.
    offsets
        Offsets of both parities.
    ramp_span_rad
        5th to 95th percentile of the ramp over the head.
    """

    detected: bool
    offsets: Offsets
    ramp_span_rad: float


def _ramp(difference: FloatArray, weights: FloatArray, cell_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Return the span of the fitted ramp and the share of variance that it explains."""
    ramp = fit_polynomial(difference, weights, cell_mm, 1).on(difference.shape, cell_mm)
    inside = weights > 0
    values, fitted = difference[inside], ramp[inside]
    low, high = np.percentile(fitted, (5, 95))
    variance = float(np.var(values))
    explained = 1 - float(np.var(values - fitted)) / variance if variance > 0 else 0.0
    return float(high - low), explained


def bipolar_offsets(echoes: GradientEcho, template: Template, theta_rad: FloatArray, mask: BoolArray) -> Bipolar:
    """Return offsets of odd and even echoes from the first three.

    Parameters
    ----------
    echoes
        Three echoes or more.
    template, theta_rad
        The template and its unwrapped phase ``(x, y, z)``.
    mask
        Where the phase means something.

    Notes
    -----
    The difference is known but for a constant, which shifts the whole field and the offsets by constants and
    therefore no susceptibility.
    """
    coarse = coarse_grid(echoes.grid)
    # The echo that the template itself is made of adds nothing.
    used = [1, 2] if len(template.coefficients) == 1 else [0, 2]
    phasors = [offset_phasors(echoes, template, theta_rad, mask, e) for e in used]
    seen = np.stack([smooth_phase(p, coarse.cell_mm) for p in phasors])
    inverse = np.linalg.inv(parity_system(template, echoes.echo_times_s, used))
    odd, even = np.tensordot(inverse, seen, axes=1).astype(np.float32)
    span, explained = _ramp(odd - even, np.minimum(*map(cell_weights, phasors)), coarse.cell_mm)
    return Bipolar(
        detected=span > RAMP_RAD and explained > EXPLAINED,
        offsets=Offsets(odd_rad=odd, even_rad=even, coarse=coarse),
        ramp_span_rad=span,
    )
