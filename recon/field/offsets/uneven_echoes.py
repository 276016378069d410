"""Echoes whose phase does not grow evenly: each has a constant or a ramp of its own.

Eddy currents that decay over the echo train leave them, and scanners and exports that treat each echo by itself
(public reports: ROMEO issues 3 and 23). What is common to all echoes, or grows with the echo time, belongs to the
offset and to the field. The rest can be told from three echoes on, with odd and even echoes apart from four on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recon.field.constants import FIELD
from recon.field.fit import FieldFit
from recon.field.offsets.mcpc3ds import Offsets
from recon.field.offsets.smooth import cell_weights, phase_trend
from recon.field.template import Template
from recon.operators.coarse import block_phasors, coarse_grid
from recon.operators.polynomial import FloatMatrix
from recon.operators.wrap import wrap
from recon.types import BoolArray, FloatArray, GradientEcho

_EVERY = 3
"""Voxels are taken in steps along each axis: a ramp needs no more of them."""
_CELL_MM = 8.0


def without_uneven_echoes(
    echoes: GradientEcho, template: Template, theta_rad: FloatArray, offsets: Offsets, fit: FieldFit, core: BoolArray
) -> tuple[GradientEcho, FloatArray, tuple[str, ...], dict[str, float]]:
    """Return echoes whose phase grows evenly, the template's phase with them, warnings, and how uneven they were.

    Parameters
    ----------
    echoes
        One echo or more; returned as they are if nothing stands out.
    template, theta_rad
        The template and its unwrapped phase ``(x, y, z)``.
    offsets, fit
        Offsets, and the field fitted with them.
    core
        ``(x, y, z)`` bool, where the phase means something.
    """
    count, times = len(echoes.echo_times_s), np.asarray(echoes.echo_times_s)
    common = [np.ones(count)] if offsets.even_rad is offsets.odd_rad else [np.arange(count) % 2 == p for p in (0, 1)]
    model = np.stack([*common, times / times[-1]], axis=1).astype(float)
    if count <= model.shape[1]:
        return echoes, theta_rad, (), {}
    every = (slice(None, None, _EVERY),) * 3
    some = replace(echoes.grid, shape=core[every].shape, voxel_size_mm=_longer(echoes.grid.voxel_size_mm))
    coarse = coarse_grid(some, _CELL_MM)
    field, inside = np.ascontiguousarray(fit.field_rad_per_s[every]), np.ascontiguousarray(core[every])
    trends, strengths = [], []
    for e, time_s in enumerate(echoes.echo_times_s):
        offset = (offsets.even_rad if e % 2 else offsets.odd_rad)[every]
        phase, magnitude = echoes.phase_rad[e][every] - offset, np.ascontiguousarray(echoes.magnitude[e][every])
        phasors = block_phasors(phase, field, time_s, magnitude, inside, coarse)
        trends.append(phase_trend(phasors, coarse.cell_mm, 1))
        strengths.append(float(np.abs(phasors).sum()))
    weights = cell_weights(phasors)
    if not weights.any():
        return echoes, theta_rad, (), {}
    own = _own_parts(np.stack([t.coefficients for t in trends]), model, np.asarray(strengths))
    shape, size = echoes.grid.shape, echoes.grid.voxel_size_mm
    uneven = [replace(t, coefficients=c.reshape(t.coefficients.shape)) for t, c in zip(trends, own, strict=True)]
    spread = [float(np.sqrt(np.average(u.on(coarse.shape, coarse.cell_mm) ** 2, weights=weights))) for u in uneven]
    figures = {"uneven_echoes_rad": max(spread)}
    if max(spread) < FIELD.uneven_echo_rad:
        return echoes, theta_rad, (), figures
    even_rad, even_theta_rad = np.empty_like(echoes.phase_rad), theta_rad.copy()
    for e, polynomial in enumerate(uneven):
        offset = polynomial.on(shape, size)
        even_rad[e] = wrap(echoes.phase_rad[e] - offset)
        if e < len(template.coefficients):
            even_theta_rad -= np.float32(template.coefficients[e]) * offset
    warning = (
        f"The echoes' phase does not grow evenly: constants and ramps of up to {max(spread):.1f} rad (RMS), "
        "different from echo to echo, were removed."
    )
    return replace(echoes, phase_rad=even_rad), even_theta_rad, (warning,), figures


def _longer(voxel_size_mm: tuple[float, float, float]) -> tuple[float, float, float]:
    x, y, z = voxel_size_mm
    return _EVERY * x, _EVERY * y, _EVERY * z


def _own_parts(coefficients: FloatMatrix, model: FloatMatrix, strengths: FloatMatrix) -> FloatMatrix:
    """Return what coefficients ``(echo, ...)`` of smooth phases have beyond a linear model ``(echo, term)``.

    Echoes weigh as they do in the fit of the field. A constant that is off by 2π makes no difference: what the
    projection leaves of the turn is what a model with another intercept leaves of it.
    """
    flat = coefficients.reshape(len(coefficients), -1)
    root = strengths[:, None]
    basis = np.linalg.qr(model * root)[0]
    scaled = flat * root
    own: FloatMatrix = ((scaled - basis @ (basis.T @ scaled)) / root).reshape(coefficients.shape)
    return own
