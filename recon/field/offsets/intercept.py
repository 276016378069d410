"""What MCPC-3D-S leaves of a phase offset, from fits with a free intercept.

A fit ``φ = ω TE`` is precise and biased: an offset ``ψ`` that is left moves it by ``ψ Σw TE / Σw TE²``. A fit
``φ = ω TE + ψ`` tells the offset of each voxel from its own echoes, whatever the field, but with much noise. Offsets of
coils are smooth and noise is not, so that the mean over a neighbourhood is enough. How large a neighbourhood follows
from the echo times and magnitudes: as small as possible, as long as what it adds to the field's variance stays small.

With ``w = magnitude²`` and the residuals ``r`` of the first fit, ``δ = Σ w (TE - TEm) r / Σ w (TE - TEm)²`` is what the
free intercept adds to the slope, where ``TEm`` is the weighted mean of the echo times, and ``ψ = Σ w r / Σ w - δ TEm``.
Where odd and even echoes have offsets of their own, each has its own mean and its own intercept.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from recon.field.constants import FIELD
from recon.field.fit import FieldFit
from recon.field.offsets.mcpc3ds import Offsets
from recon.field.template import Template
from recon.operators.coarse import coarse_grid, smooth_mean
from recon.operators.slabs import compiled, in_slabs
from recon.operators.wrap import wrap_scalar
from recon.types import BoolArray, FloatArray, GradientEcho, Grid


def without_intercept(
    echoes: GradientEcho, fit: FieldFit, offsets: Offsets, template: Template, core: BoolArray
) -> Offsets:
    """Return offsets after which the echoes' phases go through zero at echo time zero, but for noise.

    Parameters
    ----------
    echoes
        Two echoes or more.
    fit, offsets
        The field fitted with these offsets.
    template
        The template, whose own offset changes with theirs.
    core
        ``(x, y, z)`` bool, where the phase means something.
    """
    parities = 1 if offsets.even_rad is offsets.odd_rad else 2
    intercept, weight, gain = voxel_intercepts(echoes, fit, offsets, core, parities)
    sigma_mm = smoothing_mm(gain, echoes.grid)
    smooth = [smooth_intercept(i, w, echoes.grid, sigma_mm) for i, w in zip(intercept, weight, strict=True)]
    odd, even = smooth[0], smooth[-1]
    its_own = sum(c * (odd, even)[e % 2] for e, c in enumerate(template.coefficients))
    odd_rad = offsets.odd_rad + odd
    spread = float(np.sqrt(np.mean(odd[core] ** 2)))
    return replace(
        offsets,
        odd_rad=odd_rad,
        even_rad=odd_rad if parities == 1 else offsets.even_rad + even,
        template_rad=offsets.template_rad + its_own,
        figures={**offsets.figures, "intercept_rms_rad": spread, "intercept_smoothing_mm": sigma_mm},
    )


def voxel_intercepts(
    echoes: GradientEcho, fit: FieldFit, offsets: Offsets, core: BoolArray, parities: int
) -> tuple[FloatArray, FloatArray, float]:
    """Return each voxel's intercept, its weight, and how it would add to the field's variance.

    Returns
    -------
    intercept_rad, weight
        ``(parity, x, y, z)`` float32; the weight is the inverse variance in units of the magnitude's noise, zero
        where nothing is known.
    gain
        Median over the core of the field's variance that a single voxel's intercept would add, over the field's own.
    """
    shape, count = echoes.grid.shape, len(echoes.echo_times_s)
    intercept, weight = (np.zeros((parities, *shape), np.float32) for _ in range(2))
    gain = np.zeros(shape, np.float32)
    known = core & (fit.residual_rad < FIELD.uncertain_residual_rad)
    phase, magnitude = (np.ascontiguousarray(v).reshape(count, -1) for v in (echoes.phase_rad, echoes.magnitude))
    times = np.asarray(echoes.echo_times_s, np.float32)
    flat = (v.reshape(-1) for v in (offsets.odd_rad, offsets.even_rad, known, fit.field_rad_per_s, gain))
    plane = shape[1] * shape[2]
    in_slabs(
        _intercepts,
        shape[0],
        plane,
        phase,
        magnitude,
        times,
        *flat,
        *(v.reshape(parities, -1) for v in (intercept, weight)),
    )
    told = gain > 0
    return intercept, weight, float(np.median(gain[told])) if told.any() else 0.0


@compiled
def _intercepts(
    start: int,
    stop: int,
    plane: int,
    phase: FloatArray,
    magnitude: FloatArray,
    times: npt.NDArray[np.float32],
    odd: FloatArray,
    even: FloatArray,
    known: BoolArray,
    field: FloatArray,
    gain: FloatArray,
    intercept: FloatArray,
    weight: FloatArray,
) -> None:
    parities = intercept.shape[0]
    w, wt, wr = np.zeros(parities), np.zeros(parities), np.zeros(parities)
    for i in range(start * plane, stop * plane):
        if not known[i]:
            continue
        w[:], wt[:], wr[:] = 0.0, 0.0, 0.0
        wtt, wtr = 0.0, 0.0
        for e in range(times.size):
            p, t = e % parities, float(times[e])
            r = float(wrap_scalar(phase[e, i] - (even[i] if e & 1 else odd[i]) - field[i] * times[e]))
            m = float(magnitude[e, i]) * float(magnitude[e, i])
            w[p] += m
            wt[p] += m * t
            wr[p] += m * r
            wtt += m * t * t
            wtr += m * t * r
        apart, together = wtt, wtr
        for p in range(parities):
            if w[p] > 0:
                apart -= wt[p] * wt[p] / w[p]
                together -= wt[p] * wr[p] / w[p]
        if not apart > 1e-4 * wtt:
            continue
        moved = 0.0
        for p in range(parities):
            if w[p] > 0:
                mean = wt[p] / w[p]
                variance = 1 / w[p] + mean * mean / apart
                intercept[p, i] = (wr[p] - together / apart * wt[p]) / w[p]
                weight[p, i] = 1 / variance
                moved += variance * wt[p] * wt[p] / wtt
        gain[i] = moved


def smoothing_mm(gain: float, grid: Grid) -> float:
    """Return the standard deviation of the Gaussian that smooths intercepts.

    A Gaussian averages ``(2 √π σ)³`` of volume; the second pass of :func:`smooth_intercept` halves that at most.
    """
    volume_mm3 = 2 * gain * grid.voxel_volume_mm3 / FIELD.intercept_variance_share
    return max(FIELD.intercept_smoothing_mm, float(np.cbrt(volume_mm3) / (2 * np.sqrt(np.pi))))


def smooth_intercept(intercept_rad: FloatArray, weight: FloatArray, grid: Grid, sigma_mm: float) -> FloatArray:
    """Return the smooth part of intercepts, ``(x, y, z)`` float32 in radians.

    Twice a weighted mean: the second time of what the first has left, so that a wave is flattened by the square of
    what one Gaussian leaves, and with less weight for voxels that contradict their neighbours.
    """
    cells = coarse_grid(grid, sigma_mm)
    smooth = smooth_mean(intercept_rad, weight, cells, sigma_mm)
    told = weight > 0
    left = np.where(told, intercept_rad - smooth, np.float32(0))
    return smooth + smooth_mean(left, weight * _ordinary(left**2 * weight, told), cells, sigma_mm)


def _ordinary(square: FloatArray, told: BoolArray) -> FloatArray:
    """Return how much squared deviations count: 1 for the usual ones of the voxels told, less for outliers."""
    usual = float(np.median(square[told])) if told.any() else 0.0
    scale = max(FIELD.intercept_outlier_ratio * usual, float(np.finfo(np.float32).tiny))
    counts: FloatArray = (1 / (1 + square / np.float32(scale))).astype(np.float32)
    return counts
