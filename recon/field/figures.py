"""What is measured of a field, for the verdict and for people."""

from __future__ import annotations

import numpy as np

from recon.field.fit import FieldFit
from recon.field.noise import fit_noise, magnitude_noise
from recon.types import GAMMA_HZ_PER_TESLA, BoolArray, FloatArray, GradientEcho

_SAMPLES = 200_000
"""Values, and up to twice as many, that a median is found from: to a thousandth of their spread or so."""


def field_figures(
    echoes: GradientEcho,
    fit: FieldFit,
    field_ppm: FloatArray,
    quality: FloatArray,
    noise_ppm: FloatArray,
    reliable: BoolArray,
    mask: BoolArray,
) -> dict[str, float]:
    """Return named figures of a field in its mask, the unit in the name.

    ``phase_quality_below_half_percent``, ``unreliable_percent``: share of the mask whose phase is poor, and whose field
    means nothing. ``field_jumps_permille``: see :func:`field_jumps_permille`. ``linear_fit_residual_median_rad``: how
    far the echoes are from one field and one offset; ``fit_residual_excess_rad``: the part of it that the noise of the
    magnitude does not explain. The last two need several echoes.

    Parameters
    ----------
    echoes, fit
        The acquisition, and what was fitted to it.
    field_ppm, quality, noise_ppm, reliable, mask
        ``(x, y, z)``, as in :class:`recon.types.TotalField`.
    """
    times_s = echoes.echo_times_s
    several = len(times_s) > 1
    turn_ppm = 1e6 / (GAMMA_HZ_PER_TESLA * echoes.b0_tesla * (times_s[1] - times_s[0] if several else times_s[0]))
    quality_inside = quality[mask]
    figures = {
        "regrown_share_percent": fit.refitted_percent,
        "mask_volume_ml": float(mask.sum()) * echoes.grid.voxel_volume_mm3 / 1000,
        "field_noise_median_ppm": _median(noise_ppm[mask]),
        "phase_quality_median": _median(quality_inside),
        "phase_quality_below_half_percent": 100 * float(np.mean(quality_inside < 0.5)),
        "unreliable_percent": 100 * float(np.mean(~reliable[mask])),
        "field_jumps_permille": field_jumps_permille(field_ppm, reliable, turn_ppm),
    }
    if several:
        median = figures["linear_fit_residual_median_rad"] = _median(fit.residual_rad[mask])
        figures["fit_residual_excess_rad"] = _excess_rad(echoes, fit.residual_rad, mask, median)
    return figures


def _median(values: FloatArray) -> float:
    """Return the median of as many values as it needs, evenly spaced."""
    return float(np.median(values[:: max(1, values.size // _SAMPLES)]))


def _excess_rad(echoes: GradientEcho, residual_rad: FloatArray, mask: BoolArray, median: float) -> float:
    """Return the median residual less, in squares, what the magnitude's noise makes."""
    of_fit, of_magnitude = fit_noise(echoes.magnitude, residual_rad, mask), magnitude_noise(echoes.magnitude[0], mask)
    explained = min(1.0, of_magnitude / of_fit) if of_fit > 0 else 1.0
    return median * float(np.sqrt(1.0 - explained**2))


def field_jumps_permille(field_ppm: FloatArray, where: BoolArray, turn_ppm: float) -> float:
    """Return how many of a thousand pairs of face neighbours differ by half a turn and more: unwrapping went wrong.

    Parameters
    ----------
    field_ppm, where
        ``(x, y, z)`` field, and the voxels that count.
    turn_ppm
        What the field changes by with one turn of phase.
    """
    pairs = jumps = 0
    for axis in range(3):
        field, inside = np.moveaxis(field_ppm, axis, 0), np.moveaxis(where, axis, 0)
        both = inside[1:] & inside[:-1]
        pairs += int(np.count_nonzero(both))
        jumps += int(np.count_nonzero(both & (np.abs(np.diff(field, axis=0)) > turn_ppm / 2)))
    return 1000 * jumps / max(1, pairs)
