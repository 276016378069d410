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
_CALCIFICATION_PAD = 3
_CALCIFICATION_RIM = 4


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


def calcification_moment(chi_ppm: FloatArray, region: BoolArray) -> float:
    """Return count times mean of the calcified voxels around a region, in ppm · voxels.

    Calcified are those in the region's box, widened by 3 voxels, below half the region's mean in the same map: the
    threshold follows the map, so that a blurred calcification keeps its moment.
    """
    window = _box(region, _CALCIFICATION_PAD)
    threshold = 0.5 * chi_ppm[region].mean(dtype=np.float64)
    if threshold >= 0:
        return 0.0
    values = chi_ppm[window]
    return float(values[values < threshold].sum(dtype=np.float64))


def calcification_moment_deviation(estimate: FloatArray, truth: FloatArray, region: BoolArray) -> float | None:
    """Return how far the calcification's moment is from the true one, in ppm · voxels; None without one."""
    if not region.any():
        return None
    return abs(calcification_moment(estimate, region) - calcification_moment(truth, region))


def calcification_streak(estimate: FloatArray, truth: FloatArray, region: BoolArray, mask: BoolArray) -> float | None:
    """Return the spread of the error around a calcification relative to the calcification's true mean.

    The error's standard deviation is taken inside the mask in a rim of 4 voxels around the region's box widened by 3
    voxels. None without a calcification, or where the rim holds no voxel.
    """
    if not region.any():
        return None
    rim = np.zeros_like(mask)
    rim[_box(region, _CALCIFICATION_PAD + _CALCIFICATION_RIM)] = True
    rim[_box(region, _CALCIFICATION_PAD)] = False
    rim &= mask
    if not rim.any():
        return None
    error = estimate[rim].astype(np.float64) - truth[rim]
    return float(error.std() / abs(truth[region].mean(dtype=np.float64)))


def xsim(estimate: FloatArray, truth: FloatArray, mask: BoolArray) -> float:
    """Return the structural similarity with constants made for susceptibility, averaged over the mask.

    Cubes of 5 voxels with uniform weight, L = 1 ppm, K1 = 0.01, K2 = 0.001; the values outside the mask count as they
    stand.
    """
    e, t = estimate.astype(np.float64), truth.astype(np.float64)
    mean_e, mean_t = _window_mean(e), _window_mean(t)
    variance_e = _window_mean(e * e) - mean_e**2
    variance_t = _window_mean(t * t) - mean_t**2
    covariance = _window_mean(e * t) - mean_e * mean_t
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


def _window_mean(volume: np.ndarray) -> np.ndarray:
    """Return the mean over the similarity's window around every voxel."""
    mean: np.ndarray = ndimage.uniform_filter(volume, _XSIM_WINDOW)
    return mean


def _box(region: BoolArray, pad: int) -> tuple[slice, ...]:
    """Return the index ranges of a region, widened within the volume."""
    return tuple(
        slice(max(0, s.start - pad), min(n, s.stop + pad))
        for s, n in zip(ndimage.find_objects(region.astype(np.uint8))[0], region.shape, strict=True)
    )
