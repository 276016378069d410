"""Ghosts of the head beside it, and how much the field must fluctuate during the scan to make them.

A field that follows the breath by ``f sin(2π t/T)`` gives each line of k-space its own phase, at most ``A = 2π f TE``.
Copies of the image appear to both sides, displaced along the phase-encoding direction by as many pixels as there are
breaths in the scan, and as strong as ``J₁(A)/J₀(A)`` of it (Van de Moortele et al. 2002, doi:10.1002/mrm.10145). The
copies keep the image's phase: they are found in air by their correlation with the brain, at any displacement, however
weak beside noise. Where partitions are acquired innermost, they are displaced by a pixel or so along these, too.
Copies nearer than a tenth of the field of view cannot be told from the head. What is measured is the least
fluctuation: coils that do not see both places make a ghost in air weaker than in the head.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage, special

from recon.operators.coarse import CoarseGrid, ComplexArray, block_mean, block_phasors, coarse_grid
from recon.types import GAMMA_HZ_PER_TESLA, BoolArray, GradientEcho

_CELL_MM = 4.0
_SCALP_MM = 18.0
"""Distance from the brain within which there is scalp."""
_NEAREST = 0.1
"""Least displacement, as a share of the field of view."""
_FARTHEST_ALONG_B0_MM = 6.0
_LEAST_SHARE = 0.05
"""Least share of the brain's power that falls on air when it is displaced."""
_AMPLITUDES_RAD = np.linspace(0.0, 2.2, 200)
"""Amplitudes that can be told apart; at 2.4 nothing is left of the image itself."""


def ghost_field_ppb(echoes: GradientEcho, brain: BoolArray) -> float | None:
    """Return the amplitude of the field's fluctuation that makes the ghosts beside the head, in the middle echo.

    Of the two axes across B0 one is not the phase-encoding direction, and tells what else correlates: it is taken off.

    Parameters
    ----------
    echoes
        The acquisition.
    brain
        ``(x, y, z)`` bool, all of the brain.

    Returns
    -------
    float or None
        None where too little air is in the field of view.
    """
    middle, cells = len(echoes.echo_times_s) // 2, coarse_grid(echoes.grid, _CELL_MM)
    phase, everywhere = echoes.phase_rad[middle], np.ones(brain.shape, bool)
    signal = block_phasors(phase, phase, 0.0, echoes.magnitude[middle], everywhere, cells)
    inside = block_mean(brain.astype(np.float32), cells) > 0.5
    if not inside.any():
        return None
    air = ndimage.distance_transform_edt(~inside, sampling=cells.cell_mm) > _SCALP_MM
    *across, along = (int(axis) for axis in np.argsort(np.abs(echoes.grid.b0_direction)))
    ratios = [_ghost_ratio(signal, inside, air, (axis, along), cells) for axis in across]
    strengths = [ratio for ratio in ratios if ratio is not None]
    if len(strengths) < len(across):
        return None
    of_amplitudes = special.j1(_AMPLITUDES_RAD) / special.j0(_AMPLITUDES_RAD)
    weaker, stronger = np.interp(sorted(strengths), of_amplitudes, _AMPLITUDES_RAD)
    turns = GAMMA_HZ_PER_TESLA * echoes.b0_tesla * echoes.echo_times_s[middle]
    return 1e9 * float(stronger - weaker) / (2 * np.pi * turns)


def _ghost_ratio(
    signal: ComplexArray, inside: BoolArray, air: BoolArray, axes: tuple[int, int], cells: CoarseGrid
) -> float | None:
    """Return the strength of the strongest pair of ghosts, relative to the brain; None where there is too little air.

    Parameters
    ----------
    signal, inside, air
        ``(x, y, z)`` cells: signal, brain, and air.
    axes
        The axis along which ghosts are looked for, and the one along which they may be displaced a little.
    cells
        Their size.
    """
    signal = np.moveaxis(signal, axes, (0, 1))
    inside, air = (np.moveaxis(where, axes, (0, 1)) for where in (inside, air))
    source = np.where(inside, signal, np.complex64(0))
    # Bright tissue far from the brain counts no more than the brain does.
    typical = np.maximum(np.median(np.abs(signal[inside])), np.finfo(np.float32).tiny)
    shrink = typical / np.maximum(np.abs(signal), typical)
    seen = np.where(air, signal * shrink, np.complex64(0))
    power = _correlation(air.astype(np.float32), np.abs(source) ** 2).real
    away = np.abs(fft.fftfreq(power.shape[0]))[:, None] > _NEAREST
    slice_mm = np.abs(fft.fftfreq(power.shape[1])) * signal.shape[1] * cells.cell_mm[axes[1]]
    known = away & (slice_mm <= _FARTHEST_ALONG_B0_MM) & (power > _LEAST_SHARE * np.sum(np.abs(source) ** 2))
    if not known.any():
        return None
    strength = np.where(known, np.abs(_correlation(seen, source)) / np.where(known, power, 1), 0)
    opposite = np.roll(strength[::-1, ::-1], (1, 1), (0, 1))
    return float(np.minimum(strength, opposite).max())


def _correlation(one: npt.NDArray[np.inexact], other: npt.NDArray[np.inexact]) -> ComplexArray:
    """Return the cyclic correlation along the first two axes, for every half cell, summed over the last."""
    spectrum = fft.fftshift((fft.fft2(one, axes=(0, 1)) * fft.fft2(other, axes=(0, 1)).conj()).sum(axis=2))
    padded = np.pad(spectrum, [(n - n // 2, n // 2) for n in spectrum.shape])
    return np.asarray(4 * fft.ifft2(fft.ifftshift(padded)), np.complex64)
