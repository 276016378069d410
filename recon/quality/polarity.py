"""A second test of the phase's sense, which knows nothing of the head's shape."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from recon.operators.coarse import block_mean, coarse_grid, upsample
from recon.operators.morphology import box_filter
from recon.types import BoolArray, FloatArray, GradientEcho

_DEEP_MM = 8.0
_SURROUNDINGS_MM = 8.0
_DARKEST_PERCENT = 0.3
_CLIP_PPM = 0.15
_FEWEST_VOXELS = 5000


def chi_of_darkest_ppb(chi_ppm: FloatArray, mask: BoolArray, echoes: GradientEcho) -> float | None:
    """Return the mean susceptibility of what is darkest in the last echo, relative to the deep brain's median.

    Veins and nuclei full of iron are dark where the signal has decayed, and paramagnetic; in a map of the wrong sense
    they are diamagnetic. White matter is dark, too, and diamagnetic, but never so dark. Near the brain's surface signal
    is lost for other reasons: 8 mm are left out.

    Parameters
    ----------
    chi_ppm, mask
        ``(x, y, z)`` map and where it counts.
    echoes
        The acquisition.

    Returns
    -------
    float or None
        Values beyond 150 ppb count as 150; None where too little brain is deep.
    """
    deep = box_filter(mask, echoes.grid, _DEEP_MM, "erode")
    if np.count_nonzero(deep) < _FEWEST_VOXELS:
        return None
    magnitude = np.where(mask, echoes.magnitude[-1], np.float32(0))
    least = np.float32(1e-3 * float(np.median(magnitude[deep])) + np.finfo(np.float32).tiny)
    level = np.where(mask, np.log(np.maximum(magnitude, least)), np.float32(0))
    cells = coarse_grid(echoes.grid)
    sigma = [_SURROUNDINGS_MM / size for size in cells.cell_mm]
    around, share = (upsample(ndimage.gaussian_filter(block_mean(v, cells), sigma), cells) for v in (level, mask))
    darkness = (around / np.maximum(share, np.float32(1e-3)) - level)[deep]
    chi = np.clip(chi_ppm[deep], -_CLIP_PPM, _CLIP_PPM)
    darkest = darkness > np.percentile(darkness, 100 - _DARKEST_PERCENT)
    return 1e3 * float(chi[darkest].mean() - np.median(chi)) if darkest.any() else None
