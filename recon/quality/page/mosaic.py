"""Slices of a volume side by side, with one grey scale and its bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recon.operators.boxes import Box
from recon.quality.page.canvas import FAINT, INK
from recon.quality.page.orientation import Plane
from recon.types import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Place = tuple[float, float, float, float]
"""Left, bottom, width and height as shares of the page."""


def tiles(volume: npt.NDArray[Any], box: Box, plane: Plane, count: int, columns: int) -> npt.NDArray[Any]:
    """Return evenly spaced slices of the box, without its ends, as one picture, row by row; unused tiles are zero."""
    first, last = box[plane.through].start, box[plane.through].stop - 1
    margin = 0.08 * (last - first)
    numbers = np.round(np.linspace(first + margin, last - margin, min(count, last - first + 1))).astype(int)
    cuts = [plane.cut(volume[box], n - first) for n in dict.fromkeys(numbers)]
    rows = -(-len(cuts) // columns)
    height, width = cuts[0].shape
    sheet = np.zeros((rows * height, columns * width), dtype=volume.dtype)
    for i, cut in enumerate(cuts):
        top, left = i // columns * height, i % columns * width
        sheet[top : top + height, left : left + width] = cut
    return sheet


def show(
    figure: Figure,
    place: Place,
    picture: npt.NDArray[Any],
    window: tuple[float, float],
    *,
    aspect: float,
    outline: npt.NDArray[Any] | None = None,
) -> Any:  # noqa: ANN401 - matplotlib has no types
    """Draw a picture in a window of values, and the outline of a mask if there is one; return the image artist."""
    axes = figure.add_axes(place)
    axes.axis("off")
    shown = axes.imshow(picture, cmap="gray", vmin=window[0], vmax=window[1], aspect=aspect, interpolation="bilinear")
    if outline is not None and outline.any() and not outline.all():
        axes.contour(outline.astype(np.float32), levels=[0.5], colors=["#ffd24a"], linewidths=0.9)
    return shown


def show_letters(shown: Any, letters: tuple[str, str, str, str]) -> None:  # noqa: ANN401 - matplotlib has no types
    """Write the patient's directions at the left, right, top and bottom edge of a picture."""
    spots = (
        (0.01, 0.5, "left", "center"),
        (0.99, 0.5, "right", "center"),
        (0.5, 0.99, "center", "top"),
        (0.5, 0.01, "center", "bottom"),
    )
    for letter, (x, y, across, along) in zip(letters, spots, strict=True):
        shown.axes.text(x, y, letter, transform=shown.axes.transAxes, ha=across, va=along, color="#7fd4ff", fontsize=11)


def show_bar(figure: Figure, place: Place, shown: Any, unit: str) -> None:  # noqa: ANN401 - matplotlib has no types
    """Draw the grey scale of a picture with its unit."""
    axes = figure.add_axes(place)
    bar = figure.colorbar(shown, cax=axes)
    bar.outline.set_edgecolor(FAINT)
    axes.tick_params(colors=INK, labelsize=9.5)
    axes.set_title(unit, color=INK, fontsize=10.5, pad=6)


def geometry(grid: Grid) -> str:
    """Say the voxel size and matrix."""
    size = " × ".join(f"{s:.3g}" for s in grid.voxel_size_mm)
    shape = " × ".join(str(n) for n in grid.shape)
    return f"voxel {size} mm, matrix {shape}"
