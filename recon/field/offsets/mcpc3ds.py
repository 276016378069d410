"""Phase offsets: the part of the phase that does not grow with the echo time, estimated and smoothed.

MCPC-3D-S written for any template. The unwrapped template ``θ`` of time ``T`` predicts the phase of
every echo but for its offset, so that ``φ_e - (TE_e/T) θ`` holds offsets alone and is smooth. With
one offset for all echoes (monopolar readout) a single echo gives it. With a bipolar readout, gradients of
opposite sign leave different eddy-current phases and delays in odd and even echoes; the first three echoes
give a small linear system, which knows the difference but for a constant. A constant shifts the whole field
and the offsets, and no susceptibility. Whether the readout is bipolar is read from the data, never from a
header: a real difference is a ramp, mostly along the readout.

References
----------
Eckstein et al., Magn Reson Med 2018, doi:10.1002/mrm.26963 (MCPC-3D-S);
Li et al., Magn Reson Imaging 2015, PMC4889136 (the bipolar ramp).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recon.field.constants import FIELD
from recon.field.offsets.fringe_lines import fringe_length_mm, offset_with_lines
from recon.field.offsets.smooth import cell_weights, smooth_phase
from recon.field.template import Template
from recon.operators.coarse import block_phasors, coarse_grid, upsample
from recon.operators.polynomial import fit_polynomial
from recon.types import BoolArray, FloatArray, GradientEcho


@dataclass(frozen=True, kw_only=True)
class Offsets:
    """Smooth phase offsets.

    Parameters
    ----------
    odd_rad
        ``(x, y, z)`` float32, offset of the odd echoes (the first, the third, ...).
    even_rad
        The same of the even echoes; the same array where all echoes share one offset.
    template_rad
        The template's own offset, ``(x, y, z)`` float32.
    warnings
        In sentences.
    figures
        Named, the unit in the name.
    """

    odd_rad: FloatArray
    even_rad: FloatArray
    template_rad: FloatArray
    warnings: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


def phase_offsets(echoes: GradientEcho, template: Template, theta_rad: FloatArray, core: BoolArray) -> Offsets:
    """Return the offset that all echoes share, or those of odd and even echoes; zero for a single echo.

    Parameters
    ----------
    echoes
        One echo or more.
    template, theta_rad
        The template and its unwrapped phase ``(x, y, z)``.
    core
        ``(x, y, z)`` bool, where the phase means something.
    """
    times_s = echoes.echo_times_s
    if len(times_s) == 1:
        zero, its_own = np.zeros((2, *core.shape), np.float32)
        return Offsets(odd_rad=zero, even_rad=zero, template_rad=its_own)
    coarse = coarse_grid(echoes.grid)
    # The echo that the template itself is made of adds nothing: its own difference is zero by definition.
    used = ([1, 2] if len(template.coefficients) == 1 else [0, 2])[: len(times_s) - 1]
    phasors = [
        block_phasors(echoes.phase_rad[e], theta_rad, times_s[e] / template.time_s, echoes.magnitude[e], core, coarse)
        for e in used
    ]
    seen = [smooth_phase(p, coarse.cell_mm) for p in phasors]
    warnings: tuple[str, ...] = ()
    length_mm = fringe_length_mm(phasors[0], coarse)
    figures = {"open_fringe_lines_mm": length_mm, "open_fringe_lines_left_mm": length_mm}
    odd = even = (seen[0] / _parity_system(template, times_s, used[:1]).sum()).astype(np.float32)
    if len(used) > 1:
        inverse = np.linalg.inv(_parity_system(template, times_s, used))
        both = np.tensordot(inverse, np.stack(seen), axes=1).astype(np.float32)
        span_rad, explained = _ramp(both[0] - both[1], np.minimum(*map(cell_weights, phasors)), coarse.cell_mm)
        figures["bipolar_ramp_span_rad"] = span_rad
        if span_rad > FIELD.bipolar_ramp_rad and explained > FIELD.bipolar_explained_share:
            odd, even = both
            ramp = f"odd and even echoes differ by a phase ramp of {span_rad:.1f} rad, which was removed."
            warnings = (f"Bipolar readout: {ramp}",)
    its_own = sum(c * (odd, even)[e % 2] for e, c in enumerate(template.coefficients))
    cells = (odd, np.asarray(its_own, np.float32), *(() if even is odd else (even,)))
    odd_rad, template_rad, *even_rad = (upsample(values, coarse) for values in cells)
    if template.is_difference and even is odd and length_mm > 0:
        ratio, voxels = times_s[used[0]] / template.time_s, coarse_grid(echoes.grid, cell_mm=0)
        own = block_phasors(echoes.phase_rad[used[0]], theta_rad, ratio, echoes.magnitude[used[0]], core, voxels)
        odd_rad = offset_with_lines(odd, own, coarse, echoes.grid.voxel_size_mm)
        figures["open_fringe_lines_left_mm"] = 0.0
    return Offsets(
        odd_rad=odd_rad,
        even_rad=even_rad[0] if even_rad else odd_rad,
        template_rad=template_rad,
        warnings=warnings,
        figures=figures,
    )


def _parity_system(template: Template, echo_times_s: tuple[float, ...], used: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return the matrix that takes (odd, even) offsets to the offsets of ``φ_e - (TE_e/T) θ``, one row per echo."""
    rows = np.zeros((len(used), 2))
    for row, echo in zip(rows, used, strict=True):
        row[echo % 2] += 1
        for e, coefficient in enumerate(template.coefficients):
            row[e % 2] -= echo_times_s[echo] / template.time_s * coefficient
    return rows


def _ramp(difference_rad: FloatArray, weights: FloatArray, cell_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Return the 5th-to-95th percentile span of the fitted ramp and the share of variance that it explains."""
    ramp = fit_polynomial(difference_rad, weights, cell_mm, 1).on(difference_rad.shape, cell_mm)
    inside = weights > 0
    values, fitted = difference_rad[inside], ramp[inside]
    low, high = np.percentile(fitted, (5, 95))
    variance = float(np.var(values))
    explained = 1 - float(np.var(values - fitted)) / variance if variance > 0 else 0.0
    return float(high - low), explained
