"""Unwrapping in time and the field fit, a second look at steep voxels, and a third at doubtful ones.

From a first guess of the field, each echo in turn is unwrapped toward what the fit of the echoes before it predicts.
The fit weighs each echo by the inverse variance of its phase, ``magnitude²``; where the field found is so steep that
echoes dephase, it is fitted again with less weight for them. Its last steps descend the complex residual, whose sine
bounds what an outlier can do. Voxels whose echoes contradict each other are fitted again, from the field of their
reliable neighbours.

References
----------
Dymerska et al., doi:10.1002/mrm.28563 (template unwrapping); Liu et al., doi:10.1002/mrm.24272 (complex fit).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon.field.constants import FIELD
from recon.field.dephasing import field_spread_hz
from recon.field.offsets.mcpc3ds import Offsets
from recon.field.template import Template
from recon.field.voxel_fit import fit_voxels, refit_doubted
from recon.operators.slabs import in_slabs
from recon.operators.wrap import TWO_PI
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
        ``(x, y, z)`` float32, ``Σ (magnitude · TE)²`` where nothing dephases: divided by the magnitude's noise
        variance, the inverse of the field's variance by noise.
    dephasing_rad_per_s
        ``(x, y, z)`` float32, standard deviation of the field by dephasing inside the voxel.
    spread_hz
        ``(x, y, z)`` float32, change of the field across each voxel.
    refitted_percent
        Share of the core that the second look changed.
    """

    field_rad_per_s: FloatArray
    residual_rad: FloatArray
    information: FloatArray
    dephasing_rad_per_s: FloatArray
    spread_hz: FloatArray
    refitted_percent: float


def fit_field(
    echoes: GradientEcho,
    theta_rad: FloatArray,
    template: Template,
    offsets: Offsets,
    mask: BoolArray,
    core: BoolArray,
    noise: float,
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
    noise
        Standard deviation of the magnitude's noise, in its own units.
    """
    shape, count = echoes.grid.shape, len(echoes.echo_times_s)
    field = first_guess(theta_rad, template, offsets)
    residual, information, dephasing, spread = (np.zeros(shape, np.float32) for _ in range(4))
    times = np.asarray(echoes.echo_times_s, np.float32)
    phase, magnitude = (np.ascontiguousarray(v).reshape(count, -1) for v in (echoes.phase_rad, echoes.magnitude))
    series = (phase, magnitude, times, offsets.odd_rad.reshape(-1), offsets.even_rad.reshape(-1))
    flat = (field.reshape(-1), residual.reshape(-1), information.reshape(-1), dephasing.reshape(-1))
    bias_per_noise = np.float32(0)

    def fit_all() -> None:
        plane = shape[1] * shape[2]
        weighting = (spread.reshape(-1), bias_per_noise, FIELD.refinements)
        in_slabs(fit_voxels, shape[0], plane, *series, mask.reshape(-1), *weighting, *flat)

    fit_all()
    if noise > 0:
        bias_per_noise = np.float32(FIELD.dephasing_rad / noise)
        spread = field_spread_hz(field, mask)
        fit_all()
    uncertain = core & (residual > FIELD.uncertain_residual_rad)
    doubted, refitted = np.flatnonzero(uncertain), 0
    if count > 1 and doubted.size:
        reliable = (core & ~uncertain).reshape(-1).astype(np.uint8)
        weighting = (spread.reshape(-1), bias_per_noise, FIELD.refinements, np.float32(FIELD.refit_tie_ratio))
        refitted = refit_doubted(shape, doubted, reliable, *series, *weighting, *flat[:2])
    dephasing *= np.float32(FIELD.dephasing_rad)
    return FieldFit(
        field_rad_per_s=field,
        residual_rad=residual,
        information=information,
        dephasing_rad_per_s=dephasing,
        spread_hz=spread,
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
