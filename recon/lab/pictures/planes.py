"""Pictures of a reconstruction in three planes, for people to look at critically."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recon.types import Grid

WINDOW_PPM = 0.15


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One row of a picture.

    Parameters
    ----------
    title
        What is shown, with its unit.
    volume
        ``(x, y, z)``.
    window
        Values shown as black and white.
    """

    title: str
    volume: np.ndarray
    window: tuple[float, float]


def draw_panels(panels: Sequence[Panel], grid: Grid, path: Path, *, centre: tuple[int, int, int] | None = None) -> None:
    """Save one row per panel: axial, coronal and sagittal planes of the image grid, with a scale.

    Parameters
    ----------
    panels
        Rows, top to bottom.
    grid
        Geometry, for true proportions.
    path
        PNG to write.
    centre
        Voxel that the planes meet in; the middle of the volume if not given.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    x, y, z = centre or (grid.shape[0] // 2, grid.shape[1] // 2, grid.shape[2] // 2)
    dx, dy, dz = grid.voxel_size_mm
    figure = Figure(figsize=(11.0, 3.2 * len(panels)), facecolor="black", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), 3, squeeze=False)
    for row, panel in zip(axes, panels, strict=True):
        low, high = panel.window
        # Radiological convention for axial slices: left of the patient on the right, front at the top.
        planes = (
            (panel.volume[:, :, z].T, dy / dx, "upper"),
            (panel.volume[:, y, :].T, dz / dx, "lower"),
            (panel.volume[x, :, :].T, dz / dy, "lower"),
        )
        for cell, (plane, aspect, origin) in zip(row, planes, strict=True):
            shown = cell.imshow(plane, cmap="gray", vmin=low, vmax=high, aspect=aspect, origin=origin)
            cell.axis("off")
        row[0].set_title(panel.title, color="white", loc="left", fontsize=10)
        bar = figure.colorbar(shown, ax=row, fraction=0.02, pad=0.01)
        bar.ax.tick_params(colors="white", labelsize=8)
    figure.savefig(path, dpi=80, facecolor="black")


def draw_slices(rows: Sequence[Mapping[str, np.ndarray]], path: Path, title: str = "") -> None:
    """Save rows of slices ``(x, y)`` in ppm by their titles, grey from minus to plus 0.15 ppm, one pixel a voxel."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(map(len, rows))
    figure = Figure(figsize=(2.8 * columns, 2.9 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for cell in axes.flat:
        cell.axis("off")
    for line, row in zip(axes, rows, strict=True):
        for cell, (name, image) in zip(line, row.items(), strict=False):
            cell.imshow(image.T, cmap="gray", vmin=-WINDOW_PPM, vmax=WINDOW_PPM)
            cell.set_title(name, fontsize=9)
    figure.suptitle(title)
    figure.savefig(path, dpi=80)
