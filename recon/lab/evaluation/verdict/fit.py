"""Fit the expected error of :mod:`recon.quality.expected_error` on the rows of a study of the verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict

from recon.lab.evaluation.verdict.study import VerdictRow
from recon.network.error_pattern import ErrorPattern
from recon.quality.expected_error import ErrorModel, FigureTerm, entering, pieces

LEASTS = {
    "chi_sd_ppb": 1.0,
    "data_residual_rms_ppb": 0.1,
    "data_residual_robust_ppb": 0.1,
    "fit_residual_excess_rad": 0.001,
    "phase_quality_below_half_percent": 0.1,
}
"""The figures that enter, with what is added to each before the logarithm is taken; 0 where it enters as it is.

Chosen on some 100 maps of tuning heads, fold by fold: rank correlation 0.83, with all 24 figures 0.78, with the map's
spread alone 0.82 and a wider scatter."""
_QUANTILES = (0.01, 0.5, 0.99)
_PENALTIES = np.logspace(-1, 3, 13)
_FOLDS = 5
_COVERED = 0.9


def fit_expected_error(rows: Sequence[VerdictRow], weights_sha256: str) -> ErrorModel:
    """Fit the logarithm of the error over the brain; rows without a map are left out.

    The bound comes from rows of heads that a fit has not seen, fold by fold.
    """
    made = [row for row in rows if row.rms_ppb is not None]
    knots = {name: _knots(made, name, least) for name, least in LEASTS.items()}
    design = np.array([_line(row, knots) for row in made])
    target = np.log([row.rms_ppb for row in made if row.rms_ppb is not None])
    scale = design.std(axis=0) + 1e-6
    ridge, design = RidgeCV(alphas=_PENALTIES), design / scale
    held_out = cross_val_predict(ridge, design, target, groups=[row.head for row in made], cv=GroupKFold(_FOLDS))
    slopes = ridge.fit(design, target).coef_ / scale
    terms, first = [], 0
    for name, least in LEASTS.items():
        count = len(knots[name]) - 1
        *weights, missing = slopes[first : first + count + 1]
        terms.append(
            FigureTerm(
                figure=name, least=least, knots=knots[name], weights=tuple(map(float, weights)), missing=float(missing)
            )
        )
        first += count + 1
    return ErrorModel(
        weights_sha256=weights_sha256,
        constant=float(ridge.intercept_),
        terms=tuple(terms),
        bound_factor=float(np.exp(np.quantile(target - held_out, _COVERED))),
        nuclei=_nuclei(made, np.exp(held_out)),
        scans=len(made),
    )


def write_model(model: ErrorModel | ErrorPattern, path: Path) -> None:
    """Write a model as JSON, its numbers to five digits."""
    path.write_text(json.dumps(_rounded(asdict(model)), indent=1) + "\n")


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def _knots(rows: Sequence[VerdictRow], figure: str, least: float) -> tuple[float, ...]:
    """Return the ends of a figure's straight pieces: quantiles, each once."""
    values = [entering(row.figures[figure], least) for row in rows if figure in row.figures]
    found = np.unique(np.round(np.quantile(values, _QUANTILES), 6)) if values else np.array([0.0, 1.0])
    return tuple(map(float, found)) if len(found) > 1 else (float(found[0]), float(found[0]) + 1.0)


def _line(row: VerdictRow, knots: dict[str, tuple[float, ...]]) -> np.ndarray:
    """Return a row of the design: the pieces of each figure, and whether it is missing."""
    line = []
    for name, least in LEASTS.items():
        known = name in row.figures
        along = pieces(entering(row.figures[name], least), knots[name]) if known else np.zeros(len(knots[name]) - 1)
        line += [*along, float(not known)]
    return np.array(line)


def _nuclei(rows: Sequence[VerdictRow], expected_ppb: np.ndarray) -> dict[str, float]:
    """Return the root mean square of each nucleus's error over the error expected of the brain."""
    ratios: dict[str, list[float]] = {}
    for row, brain_ppb in zip(rows, expected_ppb, strict=True):
        for name, error_ppb in row.nuclei_ppb.items():
            ratios.setdefault(name, []).append(error_ppb / brain_ppb)
    return {name: float(np.sqrt(np.mean(np.square(found)))) for name, found in sorted(ratios.items())}
