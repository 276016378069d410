"""A second test of the phase's sense, which knows nothing of the head's shape."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from recon.operators.morphology import box_filter
from recon.types import BoolArray, FloatArray, GradientEcho

_DEEP_MM = 8.0
_SMOOTH_MM = 8.0
_CLIP_PPM = 0.15
_FEWEST_VOXELS = 1000


def darkness_correlation(chi_ppm: FloatArray, mask: BoolArray, echoes: GradientEcho) -> float:
    """Return the correlation of a map with how dark the last echo is, relative to its surroundings, -1..1.

    Veins and iron-rich nuclei are dark where signal has decayed, and paramagnetic; in a map of the wrong sense they are
    dark in both. What is dark and diamagnetic, a calcification or myelin, is rarer or fainter. Near the brain's surface
    signal is lost for other reasons: 8 mm are left out. Zero where too little is left.

    Parameters
    ----------
    chi_ppm, mask
        ``(x, y, z)`` map and where it counts.
    echoes
        The acquisition.
    """
    deep = box_filter(mask, echoes.grid, _DEEP_MM, "erode")
    if np.count_nonzero(deep) < _FEWEST_VOXELS:
        return 0.0
    magnitude = echoes.magnitude[-1]
    level = np.log(np.maximum(magnitude, 1e-3 * float(np.median(magnitude[deep])) + np.finfo(np.float32).tiny))
    dark, chi = (_detail(v, mask, deep, echoes) for v in (-level, np.clip(chi_ppm, -_CLIP_PPM, _CLIP_PPM)))
    if dark.std() == 0 or chi.std() == 0:
        return 0.0
    return float(np.corrcoef(dark, chi)[0, 1])


def _detail(volume: FloatArray, mask: BoolArray, deep: BoolArray, echoes: GradientEcho) -> FloatArray:
    """Return the deep values less their smooth surroundings in the mask."""
    sigma = [_SMOOTH_MM / size for size in echoes.grid.voxel_size_mm]
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(mask, volume, np.float32(0)).astype(np.float32), sigma)
    detail = (volume - smooth / np.maximum(weight, 1e-3))[deep]
    limit = 3 * float(np.std(detail))
    return np.asarray(np.clip(detail, -limit, limit), np.float32)
