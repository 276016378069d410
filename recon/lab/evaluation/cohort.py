"""The study of simulated patients with bleeds: what counts as a failure, and which method is better on which patient.

Liu & Koch (arXiv:1904.07105) report no inversion failure in 100 patients with haemorrhage by eye; here every patient's
truth is known, so a failure is a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from recon.lab.evaluation import metrics
from recon.lab.evaluation.score import referenced
from recon.lab.simulation.head import LESION_LABEL, NUCLEUS_LABEL
from recon.lab.simulation.scan import SimulatedScan
from recon.types import FloatArray

NETWORK = "network"
PEERS = ("tfi", "tgv")
NRMSE_LIMIT_PERCENT = 80.0
_LEAST_NUCLEUS_VOXELS = 20
_LEAST_NUCLEUS_PPM = 0.03
_LEAST_BLEED_VOXELS = 8


@dataclass(frozen=True, kw_only=True)
class CohortRow:
    """One method on one patient; without metrics where there is no finite map.

    Parameters
    ----------
    patient, method
        Number and name.
    made_by
        State of the code, and weights: rows of others are made again.
    nrmse, xsim, correlation
        Metrics in the true brain, voxels without a value counted as zero.
    bleed_slope
        Mean of the map over the true mean in the bleeds' voxels, both relative to the brain.
    sign_errors
        Deep nuclei and bleeds whose mean has the wrong sign.
    failures
        Sentences; empty when the map did not fail.
    seconds
        Wall-clock time of the inversion; for the network from images to images.
    """

    patient: int
    method: str
    made_by: str
    nrmse: float | None = None
    xsim: float | None = None
    correlation: float | None = None
    bleed_slope: float | None = None
    sign_errors: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    seconds: float


def judge_patient(scan: SimulatedScan, chi_ppm: FloatArray, blank: CohortRow, *, withheld: str = "") -> CohortRow:
    """Judge one map.

    Parameters
    ----------
    scan
        The patient's scan with its truth.
    chi_ppm
        ``(x, y, z)`` map, zero where it has no value.
    blank
        Row without metrics or failures.
    withheld
        Why the method itself calls the map failed; empty if it does not.
    """
    failures = [withheld] if withheld else []
    brain = scan.brain
    if not np.isfinite(chi_ppm[brain]).all():
        return replace(blank, failures=("values that are not numbers", *failures))
    estimate, truth = referenced(chi_ppm, brain), referenced(scan.chi_ppm, brain)
    nrmse = metrics.nrmse(estimate, truth, brain)
    wrong = sign_errors(estimate, truth, scan)
    if nrmse > NRMSE_LIMIT_PERCENT:
        failures.append(f"NRMSE {nrmse:.0f} %")
    failures += [f"wrong sign in {name}" for name in wrong]
    bleed = brain & (scan.label == LESION_LABEL["haemorrhage"])
    return replace(
        blank,
        nrmse=nrmse,
        xsim=metrics.xsim(estimate, truth, brain),
        correlation=metrics.correlation(estimate, truth, brain),
        bleed_slope=float(estimate[bleed].mean() / truth[bleed].mean()) if bleed.any() else None,
        sign_errors=wrong,
        failures=tuple(failures),
    )


def sign_errors(estimate: FloatArray, truth: FloatArray, scan: SimulatedScan) -> tuple[str, ...]:
    """Name the deep nuclei and bleeds whose mean has another sign than the true one.

    Nuclei of fewer than 20 voxels or below 30 ppb and bleeds of fewer than 8 voxels are not judged.
    """
    wrong = []
    for name, number in NUCLEUS_LABEL.items():
        region = scan.brain & (scan.label == number)
        if np.count_nonzero(region) < _LEAST_NUCLEUS_VOXELS:
            continue
        true_mean = float(truth[region].mean())
        if abs(true_mean) > _LEAST_NUCLEUS_PPM and estimate[region].mean() * true_mean <= 0:
            wrong.append(name)
    bleeds, count = ndimage.label(scan.brain & (scan.label == LESION_LABEL["haemorrhage"]))
    for number in range(1, count + 1):
        region = bleeds == number
        if np.count_nonzero(region) >= _LEAST_BLEED_VOXELS and estimate[region].mean() <= 0:
            wrong.append(f"bleed {number}")
    return tuple(wrong)


@dataclass(frozen=True, kw_only=True)
class CohortSummary:
    """What the study shows of one method.

    Parameters
    ----------
    method
        Name.
    patients
        How many were judged.
    failed
        Numbers of the patients whose map failed.
    nrmse_median, nrmse_worst
        In percent, over the maps that are finite.
    xsim_median, bleed_slope_median
        Likewise.
    better
        On how many patients the network's NRMSE is lower; None for the network.
    """

    method: str
    patients: int
    failed: tuple[int, ...]
    nrmse_median: float
    nrmse_worst: float
    xsim_median: float
    bleed_slope_median: float
    better: int | None


def summarise(rows: Iterable[CohortRow]) -> tuple[CohortSummary, ...]:
    """Summarise the rows method by method, the network first."""
    by_method: dict[str, dict[int, CohortRow]] = {}
    for row in rows:
        by_method.setdefault(row.method, {})[row.patient] = row
    network = by_method.get(NETWORK, {})
    order = sorted(by_method, key=lambda name: (name != NETWORK, name))
    return tuple(_summary(name, by_method[name], network) for name in order)


def _summary(method: str, rows: dict[int, CohortRow], network: dict[int, CohortRow]) -> CohortSummary:
    """Summarise one method's rows, by patient."""
    finite = [row for row in rows.values() if row.nrmse is not None]
    return CohortSummary(
        method=method,
        patients=len(rows),
        failed=tuple(sorted(row.patient for row in rows.values() if row.failures)),
        nrmse_median=_median([row.nrmse for row in finite]),
        nrmse_worst=max((row.nrmse for row in finite if row.nrmse is not None), default=float("nan")),
        xsim_median=_median([row.xsim for row in finite]),
        bleed_slope_median=_median([row.bleed_slope for row in finite]),
        better=None if method == NETWORK else sum(_beats(network.get(p), row) for p, row in rows.items()),
    )


def _median(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else float("nan")


def _beats(ours: CohortRow | None, peer: CohortRow) -> bool:
    """Return whether the network has a map of the same patient that is nearer to the truth."""
    if ours is None or ours.nrmse is None:
        return False
    return peer.nrmse is None or ours.nrmse < peer.nrmse


def better_than_all(rows: Iterable[CohortRow], peers: Sequence[str] = PEERS) -> tuple[int, int]:
    """Return on how many patients the network beats every peer, and how many were judged by all of them."""
    found: dict[int, dict[str, CohortRow]] = {}
    for row in rows:
        found.setdefault(row.patient, {})[row.method] = row
    complete = [one for one in found.values() if {NETWORK, *peers} <= set(one)]
    return sum(all(_beats(one[NETWORK], one[peer]) for peer in peers) for one in complete), len(complete)
