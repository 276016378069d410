"""What MCPC-3D-S leaves of a phase offset, from fits with a free intercept.

A fit ``φ = ω TE`` is precise and biased: an offset ``ψ`` that is left moves it by ``ψ Σw TE / Σw TE²``. A fit
``φ = ω TE + ψ`` tells the offset of each voxel from its own echoes, whatever the field, but with much noise. Offsets of
coils are smooth and noise is not, so that the mean over a neighbourhood is enough. How large a neighbourhood follows
from the echo times and magnitudes: as small as possible, as long as what it adds to the field's variance stays small.
Beside strong sources an intercept means something else; it contradicts its neighbours, and counts little.

With the weights ``w`` and the residuals ``r`` of the first fit, ``δ = Σ w (TE - TEm) r / Σ w (TE - TEm)²`` is what the
free intercept adds to the slope, where ``TEm`` is the weighted mean of the echo times, and ``ψ = Σ w r / Σ w - δ TEm``.
Where odd and even echoes have offsets of their own, each has its own mean and its own intercept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from recon.field.constants import FIELD
from recon.field.dephasing import echo_weight
from recon.field.fit import FieldFit
from recon.field.offsets.echo_times import echo_time_error_ms
from recon.field.offsets.mcpc3ds import Offsets
from recon.operators.coarse import coarse_grid, median_square, smooth_part
from recon.operators.slabs import compiled, in_slabs
from recon.operators.wrap import wrap_scalar
from recon.types import BoolArray, FloatArray, GradientEcho, Grid


def without_intercept(
    echoes: GradientEcho, fit: FieldFit, offsets: Offsets, mask: BoolArray, core: BoolArray, noise: float
) -> tuple[FieldFit, Offsets]:
    """Return field and offsets after which the echoes' phases go through zero at echo time zero, but for noise.

    Parameters
    ----------
    echoes
        Two echoes or more.
    fit, offsets
        The field fitted with these offsets; the fit's arrays are changed in place.
    mask
        ``(x, y, z)`` bool, where the field was fitted.
    core
        ``(x, y, z)`` bool, where the phase means something.
    noise
        Standard deviation of the magnitude's noise, in its own units.
    """
    parities = 1 if offsets.even_rad is offsets.odd_rad else 2
    bias_per_noise = np.float32(FIELD.dephasing_rad / noise if noise > 0 else 0)
    intercept, weight, gain = voxel_intercepts(echoes, fit, offsets, core, parities, bias_per_noise)
    sigma_mm = smoothing_mm(gain, echoes.grid)
    cells = coarse_grid(echoes.grid, FIELD.intercept_cell_share * sigma_mm)
    rounds, outlier = FIELD.intercept_rounds, FIELD.intercept_outlier_ratio
    smooth = np.empty_like(intercept)
    for own, values, weights in zip(smooth, intercept, weight, strict=True):
        own[:] = smooth_part(values, weights, cells, sigma_mm, rounds, outlier)
    _on_voxels(_correct, echoes, fit, offsets, mask, bias_per_noise, smooth, fit.residual_rad)
    # 0.455 is the median of a χ² variable with one degree of freedom.
    scatter = np.sqrt(median_square(intercept[0] - smooth[0], weight[0]) / 0.455) / max(noise, 1e-20)
    wrong_by_ms = echo_time_error_ms(offsets.odd_rad + intercept[0], fit.field_rad_per_s, weight[0] > 0, echoes.grid)
    odd_rad = offsets.odd_rad + smooth[0]
    spread = float(np.sqrt(np.mean(smooth[0][core] ** 2)))
    moved = replace(
        offsets,
        odd_rad=odd_rad,
        even_rad=odd_rad if parities == 1 else offsets.even_rad + smooth[1],
        figures={
            **offsets.figures,
            "intercept_rms_rad": spread,
            "intercept_smoothing_mm": sigma_mm,
            "intercept_scatter_over_noise": float(scatter),
            **({} if wrong_by_ms is None else {"echo_time_error_ms": wrong_by_ms}),
        },
    )
    return fit, moved


def voxel_intercepts(
    echoes: GradientEcho,
    fit: FieldFit,
    offsets: Offsets,
    core: BoolArray,
    parities: int,
    bias_per_noise: np.float32,
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
    shape = echoes.grid.shape
    intercept, weight = (np.zeros((parities, *shape), np.float32) for _ in range(2))
    gain = np.zeros(shape, np.float32)
    known = core & (fit.residual_rad < FIELD.uncertain_residual_rad)
    _on_voxels(_intercepts, echoes, fit, offsets, known, bias_per_noise, intercept, weight, gain)
    told = gain > 0
    return intercept, weight, float(np.median(gain[told])) if told.any() else 0.0


def _on_voxels(
    kernel: Callable[..., None],
    echoes: GradientEcho,
    fit: FieldFit,
    offsets: Offsets,
    mask: BoolArray,
    bias_per_noise: np.float32,
    *volumes: FloatArray,
) -> None:
    """Run a kernel over the voxels of a mask; ``(parity, x, y, z)`` volumes keep their first axis."""
    count, plane = len(echoes.echo_times_s), int(np.prod(mask.shape[1:]))
    phase, magnitude = (np.ascontiguousarray(v).reshape(count, -1) for v in (echoes.phase_rad, echoes.magnitude))
    maps = (offsets.odd_rad, offsets.even_rad, mask, fit.field_rad_per_s, fit.spread_hz)
    flat = (v.reshape(-1) for v in maps)
    own = (v.reshape(*v.shape[:-3], -1) for v in volumes)
    times = np.asarray(echoes.echo_times_s, np.float32)
    in_slabs(kernel, mask.shape[0], plane, phase, magnitude, times, *flat, bias_per_noise, *own)


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
    spread: FloatArray,
    bias_per_noise: np.float32,
    intercept: FloatArray,
    weight: FloatArray,
    gain: FloatArray,
) -> None:
    parities = intercept.shape[0]
    w, wt, wr = np.zeros(parities), np.zeros(parities), np.zeros(parities)
    for i in range(start * plane, stop * plane):
        if not known[i]:
            continue
        w[:], wt[:], wr[:] = 0.0, 0.0, 0.0
        wtt, wtr = 0.0, 0.0
        for e in range(times.size):
            p, t = e & (parities - 1), float(times[e])
            r = float(wrap_scalar(phase[e, i] - (even[i] if e & 1 else odd[i]) - field[i] * times[e]))
            m = float(echo_weight(magnitude[e, i], times[e], spread[i], bias_per_noise))
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


@compiled
def _correct(
    start: int,
    stop: int,
    plane: int,
    phase: FloatArray,
    magnitude: FloatArray,
    times: npt.NDArray[np.float32],
    odd: FloatArray,
    even: FloatArray,
    mask: BoolArray,
    field: FloatArray,
    spread: FloatArray,
    bias_per_noise: np.float32,
    intercept: FloatArray,
    residual: FloatArray,
) -> None:
    """Take intercepts off the field, and measure the residual again."""
    parities = intercept.shape[0]
    left, weight = np.empty(times.size, np.float32), np.empty(times.size, np.float32)
    for i in range(start * plane, stop * plane):
        if not mask[i]:
            continue
        moved, information, weights, square = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for e in range(times.size):
            own = intercept[e & (parities - 1), i]
            offset = (even[i] if e & 1 else odd[i]) + own
            left[e] = wrap_scalar(phase[e, i] - offset - field[i] * times[e])
            weight[e] = echo_weight(magnitude[e, i], times[e], spread[i], bias_per_noise)
            moved -= weight[e] * times[e] * own
            information += weight[e] * times[e] * times[e]
            weights += weight[e]
        if not information > 0:
            continue
        moved /= information
        for e in range(times.size):
            square += weight[e] * wrap_scalar(left[e] - moved * times[e]) ** 2
        field[i] += moved
        residual[i] = np.sqrt(square / weights)


def smoothing_mm(gain: float, grid: Grid) -> float:
    """Return the standard deviation of the Gaussian that smooths intercepts.

    A Gaussian averages ``(2 √π σ)³`` of volume; the rounds of :func:`recon.operators.coarse.smooth_part` halve that at
    most.
    """
    volume_mm3 = 2 * gain * grid.voxel_volume_mm3 / FIELD.intercept_variance_share
    return max(FIELD.intercept_smoothing_mm, float(np.cbrt(volume_mm3) / (2 * np.sqrt(np.pi))))
