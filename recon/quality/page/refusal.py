"""The page that is stored in place of a map where none was made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recon.quality.page.canvas import ALERT, FAINT, INK, new_page, pixels, write_lines


def refusal_page(reason: str, advice: str) -> npt.NDArray[np.uint8]:
    """Return a page that says why there is no map and what to do.

    Parameters
    ----------
    reason
        What was found and what was expected; free of patient data.
    advice
        What to do; may be empty.

    Returns
    -------
    numpy.ndarray
        ``(rows, columns, 3)`` uint8 RGB, the size of the quality pages.
    """
    figure = new_page("No susceptibility map was made", "Quantitative susceptibility mapping (QSM) of this acquisition")
    figure.text(0.06, 0.80, "Why", color=ALERT, fontsize=16, fontweight="bold", va="top")
    below = write_lines(figure, [reason], left=0.06, top=0.76, bottom=0.40, columns=66, size=15)
    if advice:
        figure.text(0.06, below - 0.05, "What to do", color=ALERT, fontsize=16, fontweight="bold", va="top")
        write_lines(figure, [advice], left=0.06, top=below - 0.09, bottom=0.12, columns=66, size=15, colour=INK)
    figure.text(0.06, 0.07, "The source images were not changed.", color=FAINT, fontsize=12, va="bottom")
    return pixels(figure)
