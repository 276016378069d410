"""Tables and figures of an evaluation, as files."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from recon.lab.evaluation.store import InversionResult, InversionRow
from recon.lab.pictures.planes import WINDOW_PPM, draw_slices


def flat(row: InversionRow) -> dict[str, Any]:
    """Return a row as one level of names and values, for JSON."""
    values = asdict(row)
    metrics = values.pop("score")
    return {**values, **metrics}


def by_wavelength(rows: Sequence[InversionRow]) -> list[dict[str, Any]]:
    """Return the error of each row judged on the whole brain by wavelength, in percent of the norm of the truth.

    For each case and source the first line is the truth itself: what there is to be wrong about.
    """
    lines = []
    for (case, source), group in itertools.groupby(rows, key=lambda row: (row.case, row.source)):
        found = [row for row in group if row.judged == "brain"]
        of = {"case": case, "source": source}
        if found:
            lines.append({**of, "of": "signal", **{band.name: band.signal_percent for band in found[0].bands}})
        lines += [{**of, "of": row.method, **{band.name: band.error_percent for band in row.bands}} for row in found]
    return lines


def markdown(rows: Sequence[InversionRow]) -> str:
    """Return the rows as a Markdown table, percent and ratios with the digits that matter, and one by wavelength."""
    metrics = [{name: value for name, value in flat(row).items() if name != "bands"} for row in rows]
    return "\n".join(_table(lines) for lines in (metrics, by_wavelength(rows)) if lines)


def _table(lines: Sequence[dict[str, Any]]) -> str:
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
    """Draw the middle slices of maps of one case and one source: truth, then each method, with its error below."""
    middle = results[0].truth_ppm.shape[2] // 2
    truth = results[0].truth_ppm[:, :, middle]
    maps, errors = {"truth": truth}, {"": np.zeros_like(truth)}
    for result in results:
        row, found = result.rows[0], result.chi_ppm[:, :, middle]
        maps[row.method] = found
        errors[f"{row.method}, error {row.score.nrmse:.1f} %"] = found - truth
    row = results[0].rows[0]
    draw_slices([maps, errors], path, f"{row.case}, from {row.source}, ±{WINDOW_PPM} ppm")
