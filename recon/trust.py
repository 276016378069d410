"""Which voxels of a field mean something, and which of the rest are open to what lies outside."""

from __future__ import annotations

from typing import Final

import cc3d
import numpy as np

from recon.harmonic import interior
from recon.types import BoolArray, FloatArray

# Settled like the steps of recon/network/consistency.py. Searched: lower limit 0.0125 0.015 0.0175 0.02 0.03 0.05 ppm.
DOUBTFUL_PPM: Final = (0.0175, 0.05)
"""Noise of the field above which its value is not used: never below the first, always above the second."""
DOUBTFUL_RATIO: Final = 3.0
"""Between the two, the noise of a doubtful voxel over the median. Such a voxel has lost most of the brain's signal: it
lies in a void, where phase is unwrapped a turn off more often than not."""


def trusted_voxels(noise_ppm: FloatArray, mask: BoolArray) -> BoolArray:
    """Return the mask's voxels whose field means something.

    Parameters
    ----------
    noise_ppm
        ``(x, y, z)`` float32 standard deviation of the field.
    mask
        ``(x, y, z)`` bool.
    """
    if not mask.any():
        return mask
    limit_ppm = float(np.clip(DOUBTFUL_RATIO * np.median(noise_ppm[mask]), *DOUBTFUL_PPM))
    return np.asarray(mask & (noise_ppm < limit_ppm))


def without_open_voids(mask: BoolArray, trusted: BoolArray) -> BoolArray:
    """Return the mask without voxels that cannot be trusted and hang together with its outside.

    What stands in a dropout at the brain's surface is a guess; as a boundary value it would spread through the whole
    brain. Take it out, and what lies in it and behind it is one outside source more. The void of a bleed deep inside
    stays: without it, the bleed itself would be taken for background.

    Parameters
    ----------
    mask
        ``(x, y, z)`` bool.
    trusted
        ``(x, y, z)`` bool, where values of the field mean something.
    """
    void = mask & ~trusted
    open_at = void & ~interior(mask)
    if not open_at.any():
        return mask
    labels = cc3d.connected_components(np.ascontiguousarray(void), connectivity=6)
    touches = np.zeros(int(labels.max()) + 1, dtype=np.bool_)
    touches[labels[open_at]] = True
    return np.asarray(mask & ~touches[labels])
