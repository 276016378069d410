"""What a study of the verdict shows: its two error rates, kind by kind, and how reliable the expected error is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from recon.lab.evaluation.verdict.study import REFUSED, RUINOUS, VerdictRow
from recon.quality.expected_error import ErrorModel


@dataclass(frozen=True, kw_only=True)
class KindCounts:
    """How the spoiled scans of one kind of fault, or of all, were called.

    Parameters
    ----------
    kind
        The fault.
    scans, ruinous
        How many there are, and how many of them are ruined.
    missed
        Ruined and called ok.
    refused, failed, degraded
        How the others were called, ruined or not.
    """

    kind: str
    scans: int
    ruinous: int
    missed: int
    refused: int
    failed: int
    degraded: int


@dataclass(frozen=True, kw_only=True)
class VerdictSummary:
    """The study in numbers.

    Parameters
    ----------
    good
        How many scans are as they should be.
    good_refused, good_failed, good_degraded
        How many of them were called so.
    kinds
        The spoiled ones; the first entry is all of them.
    spearman
        Rank correlation of the expected and the true error, over all maps; None without a model.
    covered_percent
        How many true errors lie below the bound.
    """

    good: int
    good_refused: int
    good_failed: int
    good_degraded: int
    kinds: tuple[KindCounts, ...]
    spearman: float | None
    covered_percent: float | None


def ruinous_rows(rows: Sequence[VerdictRow]) -> set[int]:
    """Return the places of the spoiled scans whose error is 1.5 times that of the scan as it is, or more."""
    plain = {(row.head, row.scan): row.nrmse_percent for row in rows if not row.kind}
    found = set()
    for number, row in enumerate(rows):
        before = plain.get((row.head, row.scan))
        if row.kind and before and row.nrmse_percent and row.nrmse_percent >= RUINOUS * before:
            found.add(number)
    return found


def summarise(rows: Sequence[VerdictRow], model: ErrorModel | None) -> VerdictSummary:
    """Summarise rows; a spoiled scan that was refused counts as called, never as ruined."""
    ruined = ruinous_rows(rows)
    levels = [row.level for row in rows]
    good = [level for row, level in zip(rows, levels, strict=True) if not row.kind]
    spoiled = [number for number, row in enumerate(rows) if row.kind]
    kinds = sorted({rows[number].kind for number in spoiled})
    counted = [_counts("all", spoiled, levels, ruined)]
    counted += [_counts(k, [n for n in spoiled if rows[n].kind == k], levels, ruined) for k in kinds]
    true_ppb, expected_ppb, bound_ppb = expected_and_true(rows, model)
    several = len(true_ppb) > 2
    return VerdictSummary(
        good=len(good),
        good_refused=good.count(REFUSED),
        good_failed=good.count("failed"),
        good_degraded=good.count("degraded"),
        kinds=tuple(counted),
        spearman=float(spearmanr(expected_ppb, true_ppb).statistic) if several else None,
        covered_percent=100 * float(np.mean(true_ppb <= bound_ppb)) if several else None,
    )


def _counts(kind: str, numbers: Sequence[int], levels: Sequence[str], ruined: set[int]) -> KindCounts:
    found = [levels[number] for number in numbers]
    return KindCounts(
        kind=kind,
        scans=len(numbers),
        ruinous=sum(number in ruined for number in numbers),
        missed=sum(number in ruined and levels[number] == "ok" for number in numbers),
        refused=found.count(REFUSED),
        failed=found.count("failed"),
        degraded=found.count("degraded"),
    )


def expected_and_true(
    rows: Sequence[VerdictRow], model: ErrorModel | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true error, expected error and bound in ppb of every map; empty without a model."""
    made = [row for row in rows if row.rms_ppb is not None] if model else []
    said = [model.expected(row.figures) for row in made] if model else []
    return (
        np.array([row.rms_ppb for row in made], dtype=np.float64),
        np.array([one.brain_ppb for one in said]),
        np.array([one.bound_ppb for one in said]),
    )


def write_study(rows: Sequence[VerdictRow], model: ErrorModel | None, folder: Path) -> VerdictSummary:
    """Write ``verdict.json`` and ``verdict.png`` into a folder; return the summary."""
    summary = summarise(rows, model)
    found = {"summary": asdict(summary), "rows": [{**asdict(row), "level": row.level} for row in rows]}
    (folder / "verdict.json").write_text(json.dumps(found) + "\n")
    draw_study(rows, model, folder / "verdict.png")
    return summary


def draw_study(rows: Sequence[VerdictRow], model: ErrorModel | None, path: Path) -> None:
    """Draw the expected against the true error, and the error ratio of every spoiled scan by kind."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colours = {"ok": "tab:green", "degraded": "tab:orange", "failed": "tab:red", REFUSED: "black"}
    figure = Figure(figsize=(15, 7), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    true_ppb, expected_ppb, bound_ppb = expected_and_true(rows, model)
    made = [row for row in rows if row.rms_ppb is not None]
    if len(true_ppb):
        shades = [colours[row.level] for row in made]
        left.scatter(expected_ppb, true_ppb, s=10, c=shades, alpha=0.7)
        ends = np.array([min(expected_ppb.min(), true_ppb.min()), max(expected_ppb.max(), true_ppb.max())])
        left.plot(ends, ends, color="grey", linewidth=0.8, label="as expected")
        factor = float(np.median(bound_ppb / expected_ppb))
        left.plot(ends, factor * ends, "--", color="grey", linewidth=0.8, label="bound: nine of ten below")
        left.legend(loc="upper left")
    left.set(xscale="log", yscale="log", xlabel="expected error (ppb)", ylabel="true error (ppb)")
    for axis in (left.xaxis, left.yaxis):
        _plain_ticks(axis, (5, 10, 20, 50, 100, 200, 500, 1000))
    left.set_title("every map")
    plain = {(row.head, row.scan): row.nrmse_percent for row in rows if not row.kind}
    kinds = sorted({row.kind for row in rows if row.kind}, reverse=True)
    for row in rows:
        before = plain.get((row.head, row.scan))
        if row.kind and before and row.nrmse_percent:
            right.plot(row.nrmse_percent / before, kinds.index(row.kind), "o", ms=4, c=colours[row.level], alpha=0.7)
    right.axvline(RUINOUS, color="grey", linewidth=0.8)
    right.set_yticks(range(len(kinds)), kinds)
    right.set(xscale="log", xlabel="error over that of the unspoiled scan (refused scans are not shown)")
    _plain_ticks(right.xaxis, (0.2, 0.5, 1, 1.5, 2, 5, 10, 20))
    right.set_title("spoiled scans: green ok, orange degraded, red failed")
    figure.savefig(path, dpi=90)


def _plain_ticks(axis: Any, places: tuple[float, ...]) -> None:  # noqa: ANN401 - matplotlib has no types
    """Label a logarithmic axis with plain numbers."""
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    axis.set_major_locator(FixedLocator(places))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
