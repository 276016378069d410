"""All metrics of one map in one record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon.lab.evaluation import metrics
from recon.lab.simulation.head import (
    GREY_MATTER_LABEL,
    LESION_LABEL,
    NUCLEUS_LABEL,
    VEIN_LABEL,
    WHITE_MATTER_LABEL,
)
from recon.types import BoolArray, FloatArray

_DEEP_GREY = ("caudate", "pallidum", "putamen", "red_nucleus", "dentate", "substantia_nigra")


@dataclass(frozen=True, kw_only=True)
class Score:
    """Metrics of :mod:`recon.lab.evaluation.metrics`; percent where the name begins with nrmse or hfen.

    A metric is None where its region has no voxel.
    """

    nrmse: float
    nrmse_detrend: float
    nrmse_tissue: float | None
    nrmse_blood: float | None
    nrmse_dgm: float | None
    dgm_slope: float | None
    dgm_linearity: float | None
    calc_moment_dev: float | None
    calc_streak: float | None
    correlation: float
    xsim: float
    hfen: float


def score(chi_ppm: FloatArray, truth_ppm: FloatArray, mask: BoolArray, label: np.ndarray) -> Score:
    """Return all metrics of a map; both maps relative to their mean over the mask and zero outside it.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32 the map; where a method gave no value it is zero and counts as such.
    truth_ppm
        ``(x, y, z)`` float32.
    mask
        ``(x, y, z)`` bool, the voxels that are judged.
    label
        ``(x, y, z)`` uint8, the constants of :mod:`recon.lab.simulation.head`.
    """
    estimate, truth = referenced(chi_ppm, mask), referenced(truth_ppm, mask)
    inside = np.where(mask, label, 0)
    tissue = np.isin(inside, (NUCLEUS_LABEL["thalamus"], WHITE_MATTER_LABEL, GREY_MATTER_LABEL))
    nuclei = {name: inside == NUCLEUS_LABEL[name] for name in _DEEP_GREY}
    moment_dev, streak = metrics.calcification(estimate, truth, inside == LESION_LABEL["calcification"])
    return Score(
        nrmse=metrics.nrmse(estimate, truth, mask),
        nrmse_detrend=metrics.nrmse_detrend(estimate, truth, mask),
        nrmse_tissue=_detrended(estimate, truth, tissue),
        nrmse_blood=_detrended(estimate, truth, metrics.blood_region(inside == VEIN_LABEL, mask)),
        nrmse_dgm=_detrended(estimate, truth, np.logical_or.reduce(list(nuclei.values()))),
        dgm_slope=metrics.region_slope(estimate, truth, nuclei),
        dgm_linearity=metrics.dgm_linearity(estimate, truth, nuclei),
        calc_moment_dev=moment_dev,
        calc_streak=streak,
        correlation=metrics.correlation(estimate, truth, mask),
        xsim=metrics.xsim(estimate, truth, mask),
        hfen=metrics.hfen(estimate, truth, mask),
    )


def nucleus_means(
    chi_ppm: FloatArray, truth_ppm: FloatArray, brain: BoolArray, label: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Return the mean of map and truth in each deep grey nucleus that the brain holds, in ppm; arrays as in `score`."""
    regions = {name: brain & (label == number) for name, number in NUCLEUS_LABEL.items()}
    return {n: (float(chi_ppm[r].mean()), float(truth_ppm[r].mean())) for n, r in regions.items() if r.any()}


def coverage_percent(chi_ppm: FloatArray, mask: BoolArray) -> float:
    """Return the share of a mask in which a map has values."""
    return float(100 * np.mean(chi_ppm[mask] != 0))


def referenced(chi_ppm: FloatArray, mask: BoolArray) -> FloatArray:
    """Return a map relative to its mean over the mask, zero outside."""
    return np.where(mask, chi_ppm - chi_ppm[mask].mean(dtype=np.float64), 0.0).astype(np.float32)


def _detrended(estimate: FloatArray, truth: FloatArray, region: BoolArray) -> float | None:
    """Return the detrended error over a region that may be empty."""
    return metrics.nrmse_detrend(estimate, truth, region) if np.count_nonzero(region) > 1 else None
