"""Phase that is constant within a slice or a slab: 2D acquisitions, and volumes acquired in slabs.

From one slice to the next the phase changes by the field and by the offset of coils. Both do so slowly along the slice
axis; a slice or a slab with an offset of its own stands out. With several echoes the field's part is known from their
growth, and what is left is an offset, whatever made it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from recon.field.constants import FIELD
from recon.operators.polynomial import fit_polynomial
from recon.operators.wrap import wrap
from recon.types import GAMMA_HZ_PER_TESLA, BoolArray, FloatArray, GradientEcho

_TREND_ORDER = 4
_EVERY = 4
"""Voxels are taken in steps within the slices: a mean needs no more of them."""
_FAR = 4.0
"""Step of the field over its usual change from slice to slice, from which on it counts."""
_LEAST_WEIGHT, _SURE_WEIGHT = 0.01, 0.2
"""Share of the strongest slice's signal below which a slice says nothing, and from which on it may raise an alarm."""


def without_slice_offsets(
    echoes: GradientEcho, core: BoolArray
) -> tuple[GradientEcho, tuple[str, ...], dict[str, float]]:
    """Return the echoes without phase offsets of single slices or slabs, warnings, and how uneven the steps are.

    Parameters
    ----------
    echoes
        One echo or more; slices along the last axis. They are returned as they are if no step stands out.
    core
        ``(x, y, z)`` bool, where the phase means something: the brain, if it is known.
    """
    step_rad, growth_rad_per_s, weight = slice_steps(echoes, core)
    outstanding = _outstanding(step_rad, weight)
    largest = float(outstanding.max(initial=0))
    figures = {
        "slice_step_rad": largest,
        "slice_step_left_rad": largest,
        "slice_coherence_drop": _coherence_drop(echoes, core),
    }
    several = len(echoes.echo_times_s) > 1
    if several:
        figures["slice_field_step_ppb"] = _field_step_ppb(growth_rad_per_s, weight, echoes.b0_tesla)
    if largest < FIELD.slice_step_rad:
        return echoes, (), figures
    found = outstanding > FIELD.slice_step_rad
    field_steps = np.zeros_like(step_rad)
    if several:
        field_steps = _field_steps(growth_rad_per_s, weight, found)
    else:
        step_rad = _beyond_trend(step_rad, weight, outstanding)
    offset, field = (np.append(np.float32(0), np.cumsum(np.where(weight > 0, s, 0))) for s in (step_rad, field_steps))
    phase = np.empty_like(echoes.phase_rad)
    for e, time_s in enumerate(echoes.echo_times_s):
        phase[e] = wrap((echoes.phase_rad[e] - (offset + field * time_s)).astype(np.float32))
    warning = (
        "Slices or slabs have phase offsets of their own, which were removed: between some of them the phase steps by "
        f"up to {largest:.1f} rad more than before and after."
    )
    if not several:
        warning += (
            " A single echo cannot tell them from the field's own change along the slices: there the map is uncertain."
        )
    corrected = replace(echoes, phase_rad=phase)
    if several:
        # What is left of a single echo's offsets looks like the field: nothing shows that they are gone.
        left_rad, growth_rad_per_s, weight = slice_steps(corrected, core)
        figures["slice_step_left_rad"] = float(_outstanding(left_rad, weight).max(initial=0))
        figures["slice_field_step_ppb"] = _field_step_ppb(growth_rad_per_s, weight, echoes.b0_tesla)
    return corrected, (warning,), figures


def slice_steps(echoes: GradientEcho, core: BoolArray) -> tuple[FloatArray, FloatArray, npt.NDArray[np.float64]]:
    """Return the mean phase step from each slice to the next at echo time zero, its growth, and its weight.

    With a single echo, the step at its echo time: the field's part stays in it, and the growth is zero.

    Parameters
    ----------
    echoes, core
        As for :func:`without_slice_offsets`.

    Returns
    -------
    step_rad, growth_rad_per_s, weight
        One per pair of slices; weight 0..1, zero where there is next to no signal.
    """
    some = (slice(None, None, _EVERY), slice(None, None, _EVERY))
    both = core[some][..., 1:] & core[some][..., :-1]
    sums = []
    for phase, magnitude in zip(echoes.phase_rad, echoes.magnitude, strict=True):
        step = np.exp(1j * np.diff(phase[some], axis=2))
        sums.append((step * magnitude[some][..., 1:]).sum(axis=(0, 1), where=both))
    total = np.stack(sums)
    strength = np.abs(total[0])
    weight = strength / max(float(strength.max(initial=0)), 1e-20)
    weight[weight < _LEAST_WEIGHT] = 0
    times = np.asarray(echoes.echo_times_s)
    at_zero, slope = np.angle(total[0]), np.zeros(len(weight))
    if len(times) > 1:
        growth = np.angle(total[1:] * total[0].conj())
        since = (times[1:] - times[0])[:, None]
        reach = np.abs(total[1:]) ** 2
        slope = (reach * since * growth).sum(0) / np.maximum((reach * since**2).sum(0), 1e-20)
        at_zero = at_zero - slope * times[0]
    return wrap(at_zero.astype(np.float32)), slope.astype(np.float32), weight


def _outstanding(step: FloatArray, weight: npt.NDArray[np.float64], *, periodic: bool = True) -> FloatArray:
    """Return by how much each step differs from both the one before and the one after it, to the same side, else 0.

    Steps of phase are ``periodic``; those of its growth are not.
    """
    sure, change = weight > _SURE_WEIGHT, np.diff(step)
    change = np.where(sure[1:] & sure[:-1], wrap(change) if periodic else change, np.float32(0))
    before, after = np.append(np.float32(0), change), np.append(-change, np.float32(0))
    least: FloatArray = np.where(before * after > 0, np.minimum(np.abs(before), np.abs(after)), np.float32(0))
    return least


def _field_step_ppb(growth_rad_per_s: FloatArray, weight: npt.NDArray[np.float64], b0_tesla: float) -> float:
    """Return the largest step of the field between slices that stands out, as between slabs acquired one by one."""
    outstanding = _outstanding(growth_rad_per_s, weight, periodic=False)
    return 1e3 * float(outstanding.max(initial=0)) / (2 * np.pi * GAMMA_HZ_PER_TESLA * b0_tesla * 1e-6)


def _coherence_drop(echoes: GradientEcho, core: BoolArray) -> float:
    """Return by how much more the phase step varies within a pair of slices of the first echo than in those beside it.

    0 to 1. Slices that do not belong together, or of which one is inverted, have no common step.
    """
    some = (slice(None, None, _EVERY), slice(None, None, _EVERY))
    both = core[some][..., 1:] & core[some][..., :-1]
    magnitude = np.where(both, echoes.magnitude[0][some][..., 1:], np.float32(0))
    step = np.exp(1j * np.diff(echoes.phase_rad[0][some], axis=2))
    total = magnitude.sum(axis=(0, 1))
    coherence = np.abs((step * magnitude).sum(axis=(0, 1)))[total > 0] / total[total > 0]
    sure = coherence[total[total > 0] > _SURE_WEIGHT * total.max(initial=0)]
    if len(sure) < 3:
        return 0.0
    return max(0.0, float(np.max(np.minimum(sure[:-2], sure[2:]) - sure[1:-1])))


def _beyond_trend(step_rad: FloatArray, weight: npt.NDArray[np.float64], outstanding: FloatArray) -> FloatArray:
    """Return what steps have beyond the field's, which is the others' or, if there are few others, their trend."""
    found = outstanding > FIELD.slice_step_rad
    # Beside a few outstanding steps, as between slabs, the others tell what the field does; where slices have offsets
    # of their own, many steps stand out, though not all by much, and only all of them together tell.
    sure = weight > _SURE_WEIGHT
    if np.mean(outstanding[sure] > FIELD.slice_step_rad / 3) < FIELD.uneven_slices_share:
        trend = _between(step_rad, (weight > 0) & ~found)
    else:
        trend, found = _trend(step_rad, weight), weight > 0
    return np.where(found, wrap(step_rad - trend), np.float32(0))


def _field_steps(growth_rad_per_s: FloatArray, weight: npt.NDArray[np.float64], found: BoolArray) -> FloatArray:
    """Return by how much the field steps at a few outstanding steps, as slabs do that were acquired one by one.

    Only what is far beyond how the growth changes from slice to slice elsewhere is a step.
    """
    ordinary = (weight > 0) & ~found
    if np.count_nonzero(found) * 4 > np.count_nonzero(ordinary):
        return np.zeros_like(growth_rad_per_s)
    beyond = growth_rad_per_s - _between(growth_rad_per_s, ordinary)
    line = growth_rad_per_s[weight > _SURE_WEIGHT]
    usual = float(np.median(np.abs(np.diff(line, 2)))) / 2 if len(line) > 2 else 0.0
    return np.where(found & (np.abs(beyond) > _FAR * usual), beyond, np.float32(0))


def _between(values: FloatArray, known: BoolArray) -> FloatArray:
    """Return values with those that are not known interpolated from their neighbours."""
    line = np.arange(len(values))
    return np.interp(line, line[known], values[known]).astype(np.float32)


def _trend(step_rad: FloatArray, weight: npt.NDArray[np.float64]) -> FloatArray:
    """Return the smooth curve along the slices that fits most steps."""
    line, spacing = (1, 1, len(step_rad)), (1.0, 1.0, 1.0)
    weights = weight.astype(np.float32).reshape(line)
    return fit_polynomial(step_rad.reshape(line), weights, spacing, _TREND_ORDER).on(line, spacing).reshape(-1)
