"""Unwrapping in time and the field fit, in one pass over the voxels.

From a first guess of the field, each echo in turn is unwrapped toward what the fit of the echoes
before it predicts. The fit weighs each echo by the inverse variance of its phase, ``magnitude²``; its
last steps descend the complex residual, whose sine bounds what an outlier can do.

References
----------
Dymerska et al., doi:10.1002/mrm.28563 (template unwrapping); Liu et al., doi:10.1002/mrm.24272 (complex fit).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recon.field.offsets.mcpc3ds import Offsets
from recon.field.template import Template
from recon.operators.slabs import compiled, in_slabs
from recon.operators.wrap import TWO_PI, unwrap_toward, wrap_scalar
from recon.types import BoolArray, FloatArray, GradientEcho

REFINEMENTS = 3
"""Complex Gauss-Newton steps after the linear fit."""


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
    """

    field_rad_per_s: FloatArray
    residual_rad: FloatArray
    information: FloatArray


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


def fit_field(
    echoes: GradientEcho,
    guess_rad_per_s: FloatArray,
    offsets: Offsets,
    mask: BoolArray,
    *,
    refinements: int = REFINEMENTS,
) -> FieldFit:
    """Fit one field per voxel to all echoes, from a guess good to half a turn of the first echo.

    Parameters
    ----------
    echoes
        One echo or more.
    guess_rad_per_s
        ``(x, y, z)`` float32; used up as workspace of the result.
    offsets
        Phase offsets.
    mask
        ``(x, y, z)`` bool, where to fit.
    refinements
        Complex Gauss-Newton steps; zero gives the plain linear fit.
    """
    shape = echoes.grid.shape
    count = len(echoes.echo_times_s)
    odd, even = offsets.volumes()
    residual, information = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    in_slabs(
        _fit,
        shape[0],
        shape[1] * shape[2],
        np.ascontiguousarray(echoes.phase_rad).reshape(count, -1),
        np.ascontiguousarray(echoes.magnitude).reshape(count, -1),
        np.asarray(echoes.echo_times_s, np.float32),
        odd.reshape(-1),
        even.reshape(-1),
        mask.reshape(-1),
        refinements,
        guess_rad_per_s.reshape(-1),
        residual.reshape(-1),
        information.reshape(-1),
    )
    return FieldFit(field_rad_per_s=guess_rad_per_s, residual_rad=residual, information=information)


def first_guess(theta_rad: FloatArray, template: Template, offsets: Offsets) -> FloatArray:
    """Return the field that the unwrapped template alone says, rad/s, ``(x, y, z)`` float32."""
    guess = offsets.of_template(template)
    np.subtract(theta_rad, guess, out=guess)
    guess /= np.float32(template.time_s)
    return guess


def unwrap_echoes(echoes: GradientEcho, fit: FieldFit, offsets: Offsets) -> FloatArray:
    """Return every echo unwrapped toward the fitted field, ``(echo, x, y, z)`` float32 in radians.

    The result differs from ``echoes.phase_rad`` by multiples of 2π.
    """
    odd, even = offsets.volumes()
    unwrapped: FloatArray = np.empty_like(echoes.phase_rad)
    for e, time in enumerate(echoes.echo_times_s):
        predicted = fit.field_rad_per_s * np.float32(time) + (even if e % 2 else odd)
        phase = echoes.phase_rad[e]
        unwrapped[e] = phase + TWO_PI * np.rint((predicted - phase) / TWO_PI)
    return unwrapped
