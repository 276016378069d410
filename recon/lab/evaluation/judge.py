"""Judge a map against the truth it was simulated from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon.lab.evaluation import metrics
from recon.lab.evaluation.score import coverage_percent, nucleus_means
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
    """Compare a map with the truth; arrays as for :func:`recon.lab.evaluation.score.score`."""
    means = [float(volume[brain].astype(np.float64).mean()) for volume in (chi_ppm, truth_ppm)]
    estimate, truth = (v[brain].astype(np.float64) - mean for v, mean in zip((chi_ppm, truth_ppm), means, strict=True))
    nuclei = nucleus_means(chi_ppm, truth_ppm, brain, label)
    return Judgement(
        nrmse_percent=metrics.nrmse(chi_ppm, truth_ppm, brain),
        correlation=float(np.corrcoef(estimate, truth)[0, 1]),
        coverage_percent=coverage_percent(chi_ppm, brain),
        nuclei_ppb={name: (1e3 * (a - means[0]), 1e3 * (b - means[1])) for name, (a, b) in nuclei.items()},
    )
