"""The head mask: where there is signal to unwrap."""

from __future__ import annotations

import cc3d
import fill_voids
import numpy as np

from recon.masking.constants import MASKING
from recon.types import BoolArray, FloatArray


def signal_threshold(magnitude: FloatArray) -> float:
    """Return the magnitude that separates signal from background.

    A fifth of the bright voxels' mean, or five times the background's mean if that is more. A volume
    without background (a slab or crop inside the head) has no noise to compare with, and the first
    rule stands alone.
    """
    sample = magnitude.ravel()[:: max(1, magnitude.size // 200_000)]
    low, dark, bright, top = np.quantile(sample, (0.05, 0.15, 0.80, 0.99))
    high = float(sample[(sample >= bright) & (sample <= top)].mean())
    noise = float(sample[sample <= dark].mean())
    if noise > high / 10:
        noise = float(sample[sample <= low].mean())
    if noise > high / 10:
        noise = 0.0
    return max(5 * noise, high / 5)


def head_mask(magnitude: FloatArray) -> BoolArray:
    """Return the voxels with signal, cavities filled, specks dropped.

    Parameters
    ----------
    magnitude
        ``(x, y, z)`` float32, an early echo.

    Returns
    -------
    numpy.ndarray
        ``(x, y, z)`` bool. Large parts that are not connected all stay.
    """
    bright = np.ascontiguousarray(magnitude > signal_threshold(magnitude))
    labels, count = cc3d.connected_components(bright, connectivity=6, return_N=True)
    if count == 0:
        return bright
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    large = sizes >= MASKING.small_island_share * sizes.max()
    filled: BoolArray = fill_voids.fill(large[labels]).astype(np.bool_)
    return filled
