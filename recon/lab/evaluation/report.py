"""Tables and figures of an evaluation, as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recon.lab.evaluation.inversion import InversionResult, InversionRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WINDOW_PPM = 0.15
"""Grey values of the figures run from minus to plus this."""


def flat(row: InversionRow) -> dict[str, Any]:
    """Return a row as one level of names and values, for JSON."""
    values = asdict(row)
    metrics = values.pop("score")
    return {**values, **metrics}


def markdown(rows: Sequence[InversionRow]) -> str:
    """Return the rows as a Markdown table, percent and ratios with the digits that matter."""
    lines = [flat(row) for row in rows]
    if not lines:
        return ""
    heads = list(lines[0])
    body = [[text_of(line[head]) for head in heads] for line in lines]
    table = [heads, ["---"] * len(heads), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in table)


def text_of(value: object) -> str:
    """Return a cell: four significant digits, a dash for what does not exist."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_tables(rows: Sequence[InversionRow], folder: Path) -> None:
    """Write ``table.md`` and ``table.json`` into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(markdown(rows))
    (folder / "table.json").write_text(json.dumps([flat(row) for row in rows], indent=2) + "\n")


def draw(results: Sequence[InversionResult], path: Path) -> None:
    """Draw the middle slices of maps of one case and one source: truth, then each method with its error."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, len(results) + 1, figsize=(2.6 * (len(results) + 1), 5.6), squeeze=False)
    truth = results[0].truth_ppm
    _show(axes[0][0], truth, "truth")
    axes[1][0].axis("off")
    for column, result in enumerate(results, start=1):
        row = result.rows[0]
        _show(axes[0][column], result.chi_ppm, row.method)
        _show(axes[1][column], result.chi_ppm - truth, f"error, {row.score.nrmse:.1f} %")
    figure.suptitle(f"{results[0].rows[0].case}, from {results[0].rows[0].source}, ±{WINDOW_PPM} ppm")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _show(axis: Axes, volume: np.ndarray, title: str) -> None:
    """Show the middle slice along z, one pixel a voxel."""
    axis.imshow(volume[:, :, volume.shape[2] // 2].T, cmap="gray", vmin=-WINDOW_PPM, vmax=WINDOW_PPM)
    axis.set_title(title, fontsize=9)
    axis.axis("off")
