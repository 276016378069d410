"""Metrics of a susceptibility map against the truth, as the public QSM benchmarks define them.

The concepts are those of the QSM challenge 2.0 (Marques 2021, doi:10.1002/mrm.28716) and of the QSM-CI benchmark; XSIM
is Milovic 2024, doi:10.1002/mrm.30271. All are pure functions of arrays ``(x, y, z)`` in ppm.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from recon.types import BoolArray, FloatArray

_XSIM_WINDOW = 5
_XSIM_C1 = 0.01**2
_XSIM_C2 = 0.001**2
_LOG_SIGMA_VOXELS = 1.5
_LOG_TRUNCATE = 5.0
_PAD, _RIM = 3, 4
"""Voxels by which a calcification's box is widened, and breadth of the rim around it."""
_THRESHOLDS_PPM = -np.arange(351) * 0.01


def nrmse(estimate: FloatArray, truth: FloatArray, region: BoolArray) -> float:
    """Return ``100 |e - t| / |t|`` in percent over a region, both with their mean there removed."""
    e, t = _centred(estimate, region), _centred(truth, region)
    return float(100 * np.linalg.norm(e - t) / np.linalg.norm(t))


def nrmse_detrend(estimate: FloatArray, truth: FloatArray, region: BoolArray) -> float:
    """Return the :func:`nrmse` after the estimate was divided by its slope against the truth.

    Infinite where the estimate does not rise with the truth at all.
    """
    e, t = _centred(estimate, region), _centred(truth, region)
    rise = slope(t, e)
    if rise == 0:
        return float("inf")
    return float(100 * np.linalg.norm(e / rise - t) / np.linalg.norm(t))


def correlation(estimate: FloatArray, truth: FloatArray, region: BoolArray) -> float:
    """Return Pearson's correlation over a region; 0 where one of both is constant."""
    e, t = _centred(estimate, region), _centred(truth, region)
    norm = np.linalg.norm(e) * np.linalg.norm(t)
    return float(e @ t / norm) if norm > 0 else 0.0


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the slope of the regression line of ``y`` on ``x``."""
    x = np.asarray(x, dtype=np.float64) - np.mean(x, dtype=np.float64)
    y = np.asarray(y, dtype=np.float64) - np.mean(y, dtype=np.float64)
    return float(x @ y / (x @ x))


def region_slope(estimate: FloatArray, truth: FloatArray, regions: Mapping[str, BoolArray]) -> float | None:
    """Return the slope of the regions' mean estimates against their true means.

    None with fewer than two regions that hold a voxel.
    """
    filled = [region for region in regions.values() if region.any()]
    if len(filled) < 2:
        return None
    true_means = np.array([truth[r].mean(dtype=np.float64) for r in filled])
    means = np.array([estimate[r].mean(dtype=np.float64) for r in filled])
    return slope(true_means, means)


def dgm_linearity(estimate: FloatArray, truth: FloatArray, nuclei: Mapping[str, BoolArray]) -> float | None:
    """Return ``|1 - slope|`` over the means of the deep grey nuclei; None with fewer than two of them."""
    rise = region_slope(estimate, truth, nuclei)
    return None if rise is None else abs(1.0 - rise)


def blood_region(veins: BoolArray, mask: BoolArray) -> BoolArray:
    """Return the veins, widened by one voxel in every direction, inside the mask."""
    grown: BoolArray = ndimage.binary_dilation(veins, np.ones((3, 3, 3), dtype=bool)) & mask
    return grown


def calcification(estimate: FloatArray, truth: FloatArray, region: BoolArray) -> tuple[float | None, float | None]:
    """Return how well a calcification is recovered: deviation of its moment, and streaks around it.

    The moment is count times mean, in ppm · voxels. In the estimate, calcified are the voxels in the region's box,
    widened by 3 voxels, that are lower than anything in the 8 voxels around that box, to the next 0.01 ppm. The streaks
    are the spread of the estimate about its regression on the truth, in a rim of 4 voxels around the box, relative to
    the calcified voxels' mean. The moment is None without a calcification, the streaks where none was found.
    """
    if not region.any():
        return None, None
    e, t = estimate.astype(np.float64), truth.astype(np.float64)
    cube, rim, outer = (_box_mask(region, pad) for pad in (_PAD, _PAD + _RIM, _PAD + 2 * _RIM))
    around = e[outer & ~cube]
    lowest = around.min() if around.size else 0.0
    allowed = _THRESHOLDS_PPM[lowest >= _THRESHOLDS_PPM]
    found = e[cube][e[cube] < (allowed[0] if allowed.size else _THRESHOLDS_PPM[-1])]
    true_moment = t[region].sum()
    if not found.size:
        return float(abs(true_moment)), None
    deviation = float(abs(true_moment - found.sum()))
    judged = rim & ~cube
    if np.count_nonzero(judged) < 2 or np.ptp(t[judged]) == 0:
        return deviation, float(e[judged].std() / abs(found.mean())) if judged.any() else None
    rise = slope(t[judged], e[judged])
    residual = e[judged] - rise * t[judged]
    return deviation, float(residual.std() / abs(found.mean()))


def xsim(estimate: FloatArray, truth: FloatArray, mask: BoolArray) -> float:
    """Return the structural similarity with constants made for susceptibility, averaged over the mask.

    Cubes of 5 voxels with uniform weight, cut off at the volume's faces; L = 1 ppm, K1 = 0.01, K2 = 0.001; the values
    outside the mask count as they stand.
    """
    e, t = estimate.astype(np.float64), truth.astype(np.float64)
    count = _window_sum(np.ones_like(e))
    mean_e, mean_t = _window_sum(e) / count, _window_sum(t) / count
    variance_e = _window_sum(e * e) / count - mean_e**2
    variance_t = _window_sum(t * t) / count - mean_t**2
    covariance = _window_sum(e * t) / count - mean_e * mean_t
    level = (2 * mean_e * mean_t + _XSIM_C1) / (mean_e**2 + mean_t**2 + _XSIM_C1)
    structure = (2 * covariance + _XSIM_C2) / (variance_e + variance_t + _XSIM_C2)
    return float((level * structure)[mask].mean())


def hfen(estimate: FloatArray, truth: FloatArray, mask: BoolArray) -> float:
    """Return the error of the high frequencies in percent: both maps after a Laplacian of Gaussian.

    Standard deviation 1.5 voxels, cut off at 5 standard deviations; compared inside the mask.
    """
    e, t = (
        ndimage.gaussian_laplace(v.astype(np.float64), _LOG_SIGMA_VOXELS, truncate=_LOG_TRUNCATE)[mask]
        for v in (estimate, truth)
    )
    return float(100 * np.linalg.norm(e - t) / np.linalg.norm(t))


def _centred(volume: FloatArray, region: BoolArray) -> np.ndarray:
    """Return the values in a region less their mean."""
    values: np.ndarray = volume[region].astype(np.float64)
    values -= values.mean()
    return values


def _window_sum(volume: np.ndarray) -> np.ndarray:
    """Return the sum over the similarity's window around every voxel, nothing beyond the volume."""
    total: np.ndarray = ndimage.uniform_filter(volume, _XSIM_WINDOW, mode="constant") * _XSIM_WINDOW**3
    return total


def _box_mask(region: BoolArray, pad: int) -> BoolArray:
    """Return the box around a region, widened within the volume."""
    box = np.zeros_like(region)
    ranges = ndimage.find_objects(region.astype(np.uint8))[0]
    box[tuple(slice(max(0, along.start - pad), along.stop + pad) for along in ranges)] = True
    return box
