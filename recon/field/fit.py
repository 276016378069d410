"""Unwrapping in time and the field fit, in one pass over the voxels, and a second look at some of them.

From a first guess of the field, each echo in turn is unwrapped toward what the fit of the echoes
before it predicts. The fit weighs each echo by the inverse variance of its phase, ``magnitude²``; its
last steps descend the complex residual, whose sine bounds what an outlier can do. Voxels whose echoes
contradict each other are fitted again, from the field of their reliable neighbours.

References
----------
Dymerska et al., doi:10.1002/mrm.28563 (template unwrapping); Liu et al., doi:10.1002/mrm.24272 (complex fit).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recon.field.constants import FIELD
from recon.field.offsets.mcpc3ds import Offsets
from recon.field.template import Template
from recon.operators.slabs import compiled, in_slabs
from recon.operators.wrap import TWO_PI, unwrap_toward, wrap_scalar
from recon.types import BoolArray, FloatArray, GradientEcho


@dataclass(frozen=True, kw_only=True)
class FieldFit:
    """The field that explains all echoes.

    Parameters
    ----------
    field_rad_per_s
        ``(x, y, z)`` float32, angular frequency; zero outside the mask.
    residual_rad
        ``(x, y, z)`` float32, magnitude-weighted RMS of the wrapped residual over the echoes.
    information
        ``(x, y, z)`` float32, ``Σ (magnitude · TE)²``: divided by the magnitude's noise variance, the
        inverse variance of the field.
    refitted_percent
        Share of the core that the second look changed.
    """

    field_rad_per_s: FloatArray
    residual_rad: FloatArray
    information: FloatArray
    refitted_percent: float


@compiled
def fit_voxel(
    phase: npt.NDArray[np.float32],
    magnitude: npt.NDArray[np.float32],
    times: npt.NDArray[np.float32],
    odd: np.float32,
    even: np.float32,
    guess: np.float32,
    refinements: int,
) -> tuple[np.float32, np.float32, np.float32]:
    """Return field (rad/s), residual (rad) and information of one voxel from a guess of its field."""
    field, numerator, information, weight_sum = guess, np.float32(0), np.float32(0), np.float32(0)
    for e in range(times.size):
        offset = even if e & 1 else odd
        weight = magnitude[e] * magnitude[e]
        unwrapped = unwrap_toward(phase[e] - offset, field * times[e])
        numerator += weight * times[e] * unwrapped
        information += weight * times[e] * times[e]
        weight_sum += weight
        if information > 0:
            field = numerator / information
    if not information > 0:
        return guess, np.float32(np.pi), np.float32(0)
    for _ in range(refinements if times.size > 1 else 0):
        slope = np.float32(0)
        for e in range(times.size):
            offset = even if e & 1 else odd
            slope += magnitude[e] * magnitude[e] * times[e] * np.sin(phase[e] - offset - field * times[e])
        field += slope / information
    square = np.float32(0)
    for e in range(times.size):
        residual = wrap_scalar(phase[e] - (even if e & 1 else odd) - field * times[e])
        square += magnitude[e] * magnitude[e] * residual * residual
    return field, np.sqrt(square / weight_sum), information


@compiled
def _fit(
    start: int,
    stop: int,
    plane: int,
    phase: FloatArray,
    magnitude: FloatArray,
    times: npt.NDArray[np.float32],
    odd: FloatArray,
    even: FloatArray,
    mask: BoolArray,
    refinements: int,
    field: FloatArray,
    residual: FloatArray,
    information: FloatArray,
) -> None:
    voxel_phase, voxel_magnitude = np.empty(times.size, np.float32), np.empty(times.size, np.float32)
    for i in range(start * plane, stop * plane):
        if mask[i]:
            for e in range(times.size):
                voxel_phase[e] = phase[e, i]
                voxel_magnitude[e] = magnitude[e, i]
            field[i], residual[i], information[i] = fit_voxel(
                voxel_phase, voxel_magnitude, times, odd[i], even[i], field[i], refinements
            )
        else:
            field[i] = 0


@compiled
def _reliable_mean(
    i: int, shape: tuple[int, int, int], field: FloatArray, reliable: npt.NDArray[np.uint8]
) -> tuple[np.float32, int]:
    """Return the mean field of the reliable neighbours of a voxel, and how many there are."""
    ny, nz = shape[1], shape[2]
    x, y, z = i // (ny * nz), i // nz % ny, i % nz
    total, count = np.float32(0), 0
    for axis, (at, step) in enumerate(((x, ny * nz), (y, nz), (z, 1))):
        if at > 0 and reliable[i - step] == 1:
            total += field[i - step]
            count += 1
        if at + 1 < shape[axis] and reliable[i + step] == 1:
            total += field[i + step]
            count += 1
    return total / np.float32(max(count, 1)), count


@compiled
def _refit(
    shape: tuple[int, int, int],
    doubted: npt.NDArray[np.int64],
    reliable: npt.NDArray[np.uint8],
    phase: FloatArray,
    magnitude: FloatArray,
    times: npt.NDArray[np.float32],
    odd: FloatArray,
    even: FloatArray,
    refinements: int,
    tie_ratio: np.float32,
    field: FloatArray,
    residual: FloatArray,
) -> int:
    changed, open_count = 0, doubted.size
    voxel_phase, voxel_magnitude = np.empty(times.size, np.float32), np.empty(times.size, np.float32)
    while open_count > 0:
        left = 0
        for k in range(open_count):
            i = doubted[k]
            guess, support = _reliable_mean(i, shape, field, reliable)
            if support == 0:
                doubted[left] = i
                left += 1
                continue
            for e in range(times.size):
                voxel_phase[e] = phase[e, i]
                voxel_magnitude[e] = magnitude[e, i]
            again, misfit, _ = fit_voxel(voxel_phase, voxel_magnitude, times, odd[i], even[i], guess, refinements)
            # A neighbourly field wins ties: in noise every field fits about equally badly.
            if misfit <= residual[i] * tie_ratio and again != field[i]:
                field[i], residual[i] = again, misfit
                changed += 1
            reliable[i] = 1
        if left == open_count:
            break
        open_count = left
    return changed


def fit_field(
    echoes: GradientEcho, theta_rad: FloatArray, template: Template, offsets: Offsets, mask: BoolArray, core: BoolArray
) -> FieldFit:
    """Fit one field per voxel to all echoes, from what the template says.

    Parameters
    ----------
    echoes
        One echo or more.
    theta_rad, template
        ``(x, y, z)`` float32 unwrapped phase of the template, and the template.
    offsets
        Phase offsets.
    mask
        ``(x, y, z)`` bool, where to fit.
    core
        ``(x, y, z)`` bool, where uncertain voxels are fitted again, outward in from their reliable neighbours.
    """
    shape, count = echoes.grid.shape, len(echoes.echo_times_s)
    field = first_guess(theta_rad, template, offsets)
    residual, information = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    times = np.asarray(echoes.echo_times_s, np.float32)
    phase, magnitude = (np.ascontiguousarray(v).reshape(count, -1) for v in (echoes.phase_rad, echoes.magnitude))
    series = (phase, magnitude, times, offsets.odd_rad.reshape(-1), offsets.even_rad.reshape(-1))
    flat = (field.reshape(-1), residual.reshape(-1))
    plane = shape[1] * shape[2]
    in_slabs(_fit, shape[0], plane, *series, mask.reshape(-1), FIELD.refinements, *flat, information.reshape(-1))
    uncertain = core & (residual > FIELD.uncertain_residual_rad)
    doubted, refitted = np.flatnonzero(uncertain), 0
    if count > 1 and doubted.size:
        reliable = (core & ~uncertain).reshape(-1).astype(np.uint8)
        refitted = _refit(
            shape, doubted, reliable, *series, FIELD.refinements, np.float32(FIELD.refit_tie_ratio), *flat
        )
    return FieldFit(
        field_rad_per_s=field,
        residual_rad=residual,
        information=information,
        refitted_percent=100 * refitted / max(1, int(core.sum())),
    )


def first_guess(theta_rad: FloatArray, template: Template, offsets: Offsets) -> FloatArray:
    """Return the field that the unwrapped template alone says, rad/s, ``(x, y, z)`` float32."""
    guess = theta_rad - offsets.template_rad
    guess /= np.float32(template.time_s)
    return guess


def unwrap_echoes(echoes: GradientEcho, field_rad_per_s: FloatArray, offsets: Offsets) -> FloatArray:
    """Return every echo unwrapped toward the fitted field, ``(echo, x, y, z)`` float32 in radians.

    The result differs from ``echoes.phase_rad`` by multiples of 2π.
    """
    unwrapped: FloatArray = np.empty_like(echoes.phase_rad)
    for e, time in enumerate(echoes.echo_times_s):
        predicted = field_rad_per_s * np.float32(time) + (offsets.even_rad if e % 2 else offsets.odd_rad)
        phase = echoes.phase_rad[e]
        unwrapped[e] = phase + TWO_PI * np.rint((predicted - phase) / TWO_PI)
    return unwrapped
