"""A page to draw on, and its pixels."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE_ROWS = 1024
PAGE_COLUMNS = 1024
_DPI = 100
INK = "#e8e8e8"
FAINT = "#9a9a9a"
ALERT = "#ffb347"
ALARM = "#ff5a4f"
PAPER = "#101010"
FOOTER = "For research use. Not a medical device. Not for diagnosis."


def new_page(title: str, subtitle: str = "") -> Figure:
    """Return a dark page with its heading and the research qualification at its foot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PAGE_COLUMNS / _DPI, PAGE_ROWS / _DPI), dpi=_DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    figure.text(0.03, 0.975, title, color=INK, fontsize=17, fontweight="bold", va="top")
    if subtitle:
        figure.text(0.03, 0.945, subtitle, color=FAINT, fontsize=10.5, va="top")
    figure.text(0.03, 0.012, FOOTER, color=ALERT, fontsize=11, va="bottom")
    return figure


def pixels(figure: Figure) -> npt.NDArray[np.uint8]:
    """Render a page to ``(rows, columns, 3)`` uint8 RGB."""
    canvas: Any = figure.canvas
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def write_lines(
    figure: Figure,
    lines: list[str],
    *,
    left: float,
    top: float,
    bottom: float,
    columns: int,
    size: float,
    hanging: str = "",
) -> float:
    """Write sentences below each other, wrapped; return where the next would begin, as a share of the page.

    What does not fit above ``bottom`` is left out, and the last line that fits says so.
    """
    step = size * 1.45 / 72 * _DPI / PAGE_ROWS
    wrapped = [part for line in lines for part in textwrap.wrap(line, columns, subsequent_indent=hanging) or [""]]
    room = max(1, int((top - bottom) / step))
    if len(wrapped) > room:
        wrapped = [*wrapped[: room - 1], "… (more in the report)"]
    for number, line in enumerate(wrapped):
        figure.text(left, top - number * step, line, color=INK, fontsize=size, va="top")
    return top - len(wrapped) * step
