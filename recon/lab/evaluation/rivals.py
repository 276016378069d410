"""Other ways from phase to field: each echo for itself, then a line through them, as public chains do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recon.errors import InvalidInputError
from recon.field.total import rad_per_s_of_one_ppm
from recon.lab.evaluation.laplacian import laplacian_unwrap
from recon.types import BoolArray, FloatArray, GradientEcho

FieldOf = Callable[[GradientEcho, BoolArray], FloatArray]
"""From the echoes and the brain's mask to the total field in ppm."""


def skimage_field(echoes: GradientEcho, mask: BoolArray) -> FloatArray:
    """Unwrap each echo inside the mask with scikit-image (Herráez 2002, doi:10.1364/AO.41.007437), fit a line.

    Raises
    ------
    InvalidInputError
        If scikit-image is missing.
    """
    try:
        from skimage.restoration import unwrap_phase
    except ImportError as error:
        raise InvalidInputError(
            "scikit-image is missing: found no module 'skimage', expected the comparison's unwrapping; "
            "install this project with its 'test' extra"
        ) from error
    unwrapped = [
        np.ma.filled(unwrap_phase(np.ma.masked_array(phase, ~mask), rng=0), 0.0).astype(np.float32)
        for phase in echoes.phase_rad
    ]
    return fitted_field(unwrapped, echoes, mask)


def laplacian_field(echoes: GradientEcho, mask: BoolArray) -> FloatArray:
    """Unwrap each echo by its Laplacian, fit a line."""
    unwrapped = [laplacian_unwrap(phase, echoes.grid) for phase in echoes.phase_rad]
    return fitted_field(unwrapped, echoes, mask)


def fitted_field(unwrapped: list[FloatArray], echoes: GradientEcho, mask: BoolArray) -> FloatArray:
    """Return the slope in ppm of an unweighted line through the unwrapped echoes ``(x, y, z)``, each in rad.

    The line has an intercept, which takes up the receive phase. A multiple of 2π that a whole echo is off by becomes a
    constant in the field, and no error here. A single echo is divided by its echo time.
    """
    one_ppm = rad_per_s_of_one_ppm(echoes.b0_tesla)
    times = np.asarray(echoes.echo_times_s)
    if len(times) == 1:
        return np.where(mask, unwrapped[0] / (times[0] * one_ppm), 0.0).astype(np.float32)
    weights = (times - times.mean()) / ((times - times.mean()) ** 2).sum()
    field = sum((np.float32(w) * u for w, u in zip(weights, unwrapped, strict=True)), np.zeros(mask.shape, np.float32))
    return np.where(mask, field / one_ppm, 0.0).astype(np.float32)
