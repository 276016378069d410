"""Rows of a study, made by hand."""

import numpy as np

from recon.lab.evaluation.verdict.study import VerdictRow
from recon.quality.expected_error import ErrorModel, FigureTerm
from recon.quality.limits import LIMITS

_LIMIT = LIMITS[0]
OK: dict[str, float] = {}
DEGRADED = {_LIMIT.figure: (_LIMIT.degraded + _LIMIT.failed) / 2}
FAILED = {_LIMIT.figure: 2 * _LIMIT.failed - _LIMIT.degraded}
MODEL = ErrorModel(
    weights_sha256="ab",
    constant=0.0,
    terms=(FigureTerm(figure="size", least=1e-9, knots=(0.0, 10.0), weights=(1.0,), missing=0.0),),
    bound_factor=1.25,
    nuclei={},
    scans=10,
)
"""Expects the error that the figure ``size`` states in ppb."""


def row(scan=0, kind="", error=20.0, figures=OK, head=0, size=None, refused=""):
    """A row whose error is as many percent as ppb."""
    made = not refused
    return VerdictRow(
        head=head,
        scan=scan,
        kind=kind,
        severity=float(bool(kind)),
        refused=refused,
        nrmse_percent=error if made else None,
        rms_ppb=error if made else None,
        nuclei_ppb={"putamen": 0.5 * error} if made else {},
        figures={**figures, "size": error if size is None else size} if made else {},
    )


def drawn_rows(count, *, slope=0.8, noise=0.2, seed=0, heads=20):
    """Rows whose error follows powers of the residual and of the spread, with noise."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        residual, spread = np.exp(rng.uniform(0, 4)), np.exp(rng.uniform(3, 5))
        error = law_ppb(residual, spread, slope) * float(np.exp(rng.normal(0, noise)))
        figures = {"data_residual_rms_ppb": float(residual), "chi_sd_ppb": float(spread)}
        found.append(row(scan=number % 4, error=error, figures=figures, head=number % heads))
    return found


def law_ppb(residual, spread, slope=0.8):
    """The error that rows of :func:`drawn_rows` have without noise."""
    return (residual + 0.1) ** slope * (spread + 1.0) ** 0.5
