"""How noisy the field is: from the magnitude's noise, and from how well the echoes agree."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from recon.field.constants import FIELD
from recon.field.fit import FieldFit
from recon.types import BoolArray, FloatArray

_GAUSSIAN_MAD = 0.6745
_SECOND_DIFFERENCE_GAIN = 6.0**1.5
"""Standard deviation of white noise behind the kernel [1, -2, 1] along three axes."""
_EVERY = 3
"""Voxels of the mask are taken in these steps for a median."""


def magnitude_noise(magnitude: FloatArray, mask: BoolArray) -> float:
    """Return the noise standard deviation of a magnitude volume, in its own units.

    The median absolute second difference along all three axes inside the mask: whatever is linear in
    any direction cancels. Structure at the scale of a voxel makes it too large, interpolation too
    small.

    References
    ----------
    Immerkær, CVIU 1996, doi:10.1006/cviu.1996.0060, in three dimensions.
    """
    middle = magnitude.shape[0] // 2
    slab = slice(max(0, middle - 24), middle + 24)
    difference = magnitude[slab]
    for _ in range(3):
        # Moving the axes round brings each of the three to the front once, and all back to their place.
        difference = np.moveaxis(difference[:-2] - 2 * difference[1:-1] + difference[2:], 0, -1)
    inside = mask[slab][1:-1, 1:-1, 1:-1]
    if not np.any(inside):
        return 0.0
    return float(np.median(np.abs(difference[inside]))) / _GAUSSIAN_MAD / _SECOND_DIFFERENCE_GAIN


def fit_noise(magnitude: FloatArray, residual_rad: FloatArray, mask: BoolArray) -> float:
    """Return the noise standard deviation of the magnitude that the residual of the fit implies, in its own units.

    ``Σ (m_e r_e)²`` over ``E`` echoes is the noise variance times a χ² variable with ``E - 1`` degrees of freedom.
    """
    freedom = len(magnitude) - 1
    some = np.flatnonzero(mask)[::_EVERY]
    power = sum(m.reshape(-1)[some] ** 2 for m in magnitude)
    square = float(np.median(power * residual_rad.reshape(-1)[some] ** 2)) / freedom
    median_of_chi_square = (1 - 2 / (9 * freedom)) ** 3
    return float(np.sqrt(square / median_of_chi_square))


def _noise_level(magnitude: FloatArray, fit: FieldFit, mask: BoolArray) -> float:
    """Return the magnitude's noise: the smaller of two estimates that both err on the large side."""
    from_magnitude = magnitude_noise(magnitude[0], mask)
    if len(magnitude) < 2 or not np.any(mask):
        return from_magnitude
    from_fit = fit_noise(magnitude, fit.residual_rad, mask)
    return min(from_magnitude, from_fit) if from_magnitude > 0 else from_fit


def field_noise(magnitude: FloatArray, echo_times_s: tuple[float, ...], fit: FieldFit, mask: BoolArray) -> FloatArray:
    """Return the field's standard deviation, ``(x, y, z)`` float32 in rad/s; zero outside the mask.

    ``σ / sqrt(Σ (m TE)²)`` with the magnitude's noise ``σ``, raised where the echoes agree less than that noise allows,
    and by what dephasing does in steep fields. The magnitude ``m`` is what is left when the noise's own power is
    subtracted (Gudbjartsson & Patz, doi:10.1002/mrm.1910340618); a neighbourhood that holds no more than noise has no
    signal, whatever a single voxel of it says.
    """
    level = _noise_level(magnitude, fit, mask)
    noise: FloatArray = np.zeros(mask.shape, np.float32)
    floor = np.float32(2 * level**2 * sum(t**2 for t in echo_times_s))
    signal = sum((m * np.float32(t)) ** 2 for m, t in zip(magnitude, echo_times_s, strict=True))
    known = mask & (fit.information > 0) & (ndimage.uniform_filter(signal, 3) > FIELD.least_power * floor)
    own = fit.information[known]
    expected = np.float32(level) / np.sqrt(np.maximum(own - floor, FIELD.least_signal_share * own))
    freedom = len(echo_times_s) - 1
    if freedom > 0 and level > 0:
        power = np.zeros_like(expected)
        for echo in magnitude:
            power += echo[known] ** 2
        excess = power * fit.residual_rad[known] ** 2 / np.float32(freedom * level**2)
        expected *= np.sqrt(np.maximum(1, excess / FIELD.excess_of_chance))
    noise[known] = np.hypot(expected, fit.dephasing_rad_per_s[known])
    # Without any signal nothing is known: half a turn of the first echo.
    noise[mask & ~known] = np.float32(np.pi / echo_times_s[0])
    return noise
