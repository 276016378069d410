"""Judge a map against the truth it was simulated from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon.lab.simulation.head import NUCLEUS_LABEL
from recon.types import BoolArray, FloatArray


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How near a map is to the truth.

    Parameters
    ----------
    nrmse_percent
        ``100 |e - t| / |t|`` over the whole brain, both with their mean removed; voxels without a value count as zero.
    correlation
        Pearson's, over the whole brain.
    coverage_percent
        Share of the brain that the map has values for.
    nuclei_ppb
        Mean of the map and of the truth in each deep grey nucleus, both relative to the brain's mean.
    """

    nrmse_percent: float
    correlation: float
    coverage_percent: float
    nuclei_ppb: dict[str, tuple[float, float]]


def judge(chi_ppm: FloatArray, truth_ppm: FloatArray, brain: BoolArray, label: np.ndarray) -> Judgement:
    """Compare a map with the truth.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` map, zero where it has no value.
    truth_ppm
        ``(x, y, z)`` truth.
    brain
        ``(x, y, z)`` where to compare.
    label
        ``(x, y, z)`` labels of :mod:`recon.lab.simulation.head`.
    """
    estimate, truth = chi_ppm[brain].astype(np.float64), truth_ppm[brain].astype(np.float64)
    mean_e, mean_t = estimate.mean(), truth.mean()
    estimate, truth = estimate - mean_e, truth - mean_t
    nuclei = {}
    for name, number in NUCLEUS_LABEL.items():
        inside = brain & (label == number)
        if inside.any():
            nuclei[name] = (
                float((chi_ppm[inside].mean() - mean_e) * 1e3),
                float((truth_ppm[inside].mean() - mean_t) * 1e3),
            )
    return Judgement(
        nrmse_percent=float(100 * np.linalg.norm(estimate - truth) / np.linalg.norm(truth)),
        correlation=float(np.corrcoef(estimate, truth)[0, 1]),
        coverage_percent=float(np.mean(chi_ppm[brain] != 0) * 100),
        nuclei_ppb=nuclei,
    )
