"""Tables and pictures of the study of patients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from recon.lab.evaluation.cohort import (
    NETWORK,
    NRMSE_LIMIT_PERCENT,
    CohortRow,
    CohortSummary,
    better_than_all,
    summarise,
)


def markdown(rows: Sequence[CohortRow]) -> str:
    """Return the summary as a Markdown table, with the failures of each method below."""
    lines = [
        "| method | patients | failures | NRMSE median % | worst % | XSIM median | bleed, map/truth | network better |",
        "|---|---|---|---|---|---|---|---|",
    ]
    summaries = summarise(rows)
    lines += [_line(summary) for summary in summaries]
    won, judged = better_than_all(rows)
    lines += ["", f"The network is better than every peer on {won} of {judged} patients.", ""]
    for row in sorted(rows, key=lambda row: (row.method, row.patient)):
        if row.failures:
            lines.append(f"- {row.method}, patient {row.patient}: {'; '.join(row.failures)}")
    return "\n".join(lines) + "\n"


def _line(summary: CohortSummary) -> str:
    cells = (
        summary.method,
        summary.patients,
        len(summary.failed),
        f"{summary.nrmse_median:.1f}",
        f"{summary.nrmse_worst:.1f}",
        f"{summary.xsim_median:.3f}",
        f"{summary.bleed_slope_median:.2f}",
        "" if summary.better is None else summary.better,
    )
    return f"| {' | '.join(map(str, cells))} |"


def write_cohort(rows: Sequence[CohortRow], folder: Path) -> None:
    """Write ``cohort.md``, ``cohort.json`` and ``cohort.png`` into a folder."""
    (folder / "cohort.md").write_text(markdown(rows))
    summary = {"summary": [asdict(s) for s in summarise(rows)], "rows": [asdict(row) for row in rows]}
    (folder / "cohort.json").write_text(json.dumps(summary, indent=2) + "\n")
    draw_cohort(rows, folder / "cohort.png")


def draw_cohort(rows: Sequence[CohortRow], path: Path) -> None:
    """Draw the NRMSE of every patient by every method, and the network against each peer."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    methods = [summary.method for summary in summarise(rows)]
    values = {m: {r.patient: r.nrmse for r in rows if r.method == m and r.nrmse is not None} for m in methods}
    peers = [m for m in methods if m != NETWORK]
    figure = Figure(figsize=(5.2 * (1 + len(peers)), 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 1 + len(peers), squeeze=False)[0]
    jitter = np.random.default_rng(0).uniform(-0.18, 0.18, 1000)
    for place, method in enumerate(methods):
        found = list(values[method].values())
        axes[0].boxplot(found, positions=[place], widths=0.55, showfliers=False)
        axes[0].plot(place + jitter[: len(found)], found, ".", markersize=4, alpha=0.6)
    axes[0].set_xticks(range(len(methods)), methods)
    axes[0].axhline(NRMSE_LIMIT_PERCENT, color="red", linewidth=0.8)
    axes[0].set_ylabel("NRMSE in the brain (%)")
    axes[0].set_title("all patients; red: failure")
    for axis, peer in zip(axes[1:], peers, strict=True):
        both = sorted(set(values[peer]) & set(values.get(NETWORK, {})))
        x, y = [values[peer][p] for p in both], [values[NETWORK][p] for p in both]
        limit = 1.05 * max([*x, *y, 1.0])
        axis.plot([0, limit], [0, limit], color="grey", linewidth=0.8)
        axis.plot(x, y, ".", markersize=5)
        axis.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
        axis.set_xlabel(f"{peer}, NRMSE (%)")
        axis.set_ylabel("network, NRMSE (%)")
        axis.set_title("below the line: network better")
    figure.savefig(path, dpi=90)
