"""The first page: mask and map in three planes, and everything that is known about their quality in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recon.operators.boxes import Box, mask_box
from recon.quality.page.canvas import ALARM, ALERT, INK, new_page, pixels, write_lines
from recon.quality.page.mosaic import geometry, show, show_bar, show_letters
from recon.quality.page.orientation import Plane
from recon.types import BoolArray, ExpectedError, FloatArray, GradientEcho, Grid, Reconstruction

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_FIGURES = (
    ("mask_volume_ml", "mask volume", "ml", 1.0),
    ("unreliable_percent", "field unreliable", "% of mask", 1.0),
    ("phase_quality_below_half_percent", "phase quality below one half", "% of mask", 1.0),
    ("field_noise_median_ppm", "field noise, median", "ppb", 1e3),
    ("fit_residual_excess_rad", "phase fit residual beyond noise", "rad", 1.0),
    ("field_jumps_permille", "jumps in the field", "‰ of neighbours", 1.0),
    ("slice_step_rad", "largest phase step between slices", "rad", 1.0),
    ("echo_shift_mm", "largest shift between echoes", "mm", 1.0),
    ("echo_time_error_ms", "echo times wrong by at least", "ms", 1.0),
    ("open_fringe_lines_mm", "open fringe lines", "mm", 1.0),
    ("b0_direction_off_deg", "field's B0 beside the stated one", "°", 1.0),
    ("data_residual_rms_ppb", "field not explained by the map, RMS", "ppb", 1.0),
    ("data_unexplained_percent", "field of tissue not explained", "%", 1.0),
    ("streak_energy_ratio", "streak energy (true maps: 1)", "", 1.0),
    ("chi_sd_ppb", "susceptibility, SD", "ppb", 1.0),
)
"""Figure, words, unit shown, and the factor to that unit."""


VERDICTS = {
    "ok": ("Verdict: good", INK),
    "degraded": ("Verdict: read with care", ALERT),
    "failed": ("Verdict: do not read this map", ALARM),
}
"""Words and colour of each level."""


def summary_page(
    echoes: GradientEcho,
    reconstruction: Reconstruction,
    views: tuple[Plane, Plane, Plane],
    window_ppb: tuple[float, float],
) -> npt.NDArray[np.uint8]:
    """Return mask and map in three planes, with warnings, figures and provenance in words."""
    provenance, grid = reconstruction.provenance, echoes.grid
    figure = new_page("QSM: quality", f"{provenance.software}, method {provenance.method}; {geometry(grid)}")
    mask = reconstruction.total_field.mask
    box = mask_box(mask, 8)
    window = magnitude_window(echoes.magnitude[0], mask)
    first_ms = echoes.echo_times_s[0] * 1e3
    title = f"magnitude at {first_ms:.1f} ms, outline of the mask"
    _three_planes(figure, 0.645, title, echoes.magnitude[0], grid, box, views, window, mask)
    chi_ppb = reconstruction.susceptibility.chi_ppm * np.float32(1e3)
    title = f"QSM, black {window_ppb[0]:+.0f} to white {window_ppb[1]:+.0f} ppb"
    shown = _three_planes(figure, 0.355, title, chi_ppb, grid, box, views, window_ppb, None)
    show_bar(figure, (0.925, 0.375, 0.014, 0.20), shown, "ppb")
    below = _write_verdict(figure, reconstruction)
    figures = figure_lines(reconstruction)
    half = -(-len(figures) // 2)
    for left, columns, heading, lines in (
        (0.03, 48, "Quality figures", figures[:half]),
        (0.35, 48, "", figures[half:]),
        (0.68, 44, "How it was made", provenance_lines(reconstruction)),
    ):
        figure.text(left, below, heading, color=INK, fontsize=12, fontweight="bold", va="top")
        write_lines(figure, lines, left=left, top=below - 0.024, bottom=0.035, columns=columns, size=9)
    return pixels(figure)


def magnitude_window(magnitude: FloatArray, mask: BoolArray) -> tuple[float, float]:
    """Return the window of a magnitude: from zero to a little above the bright end inside the mask."""
    return 0.0, max(1e-6, float(np.percentile(magnitude[mask], 99.5)) * 1.1)


def _write_verdict(figure: Figure, reconstruction: Reconstruction) -> float:
    """Write verdict, expected error and warnings under the pictures; return where the next text begins."""
    verdict, error, top = reconstruction.verdict, reconstruction.expected_error, 0.345
    heading, colour = VERDICTS[verdict.level]
    figure.text(0.03, top, heading, color=colour, fontsize=12, fontweight="bold", va="top")
    if error is not None:
        top -= 0.023
        figure.text(0.03, top, error_line(error), color=INK, fontsize=12, va="top")
    lines = [f"• {warning}" for warning in warning_lines(reconstruction)]
    below = write_lines(figure, lines, left=0.03, top=top - 0.024, bottom=0.185, columns=132, size=9.5, hanging="   ")
    return below - 0.008


def warning_lines(reconstruction: Reconstruction) -> list[str]:
    """Return every warning once, the reasons of the verdict first: what does not fit is left out from the end."""
    total, verdict = reconstruction.total_field, reconstruction.verdict
    return list(dict.fromkeys((*verdict.reasons, *total.warnings, *reconstruction.warnings))) or ["No warnings."]


def error_line(error: ExpectedError) -> str:
    """Return the error over the brain in words."""
    rms, bound = f"{error.brain_ppb:.0f} ppb RMS over the brain", f"below {error.bound_ppb:.0f} ppb"
    return f"Expected error: {rms} (9 of 10 such maps: {bound})"


def figure_lines(reconstruction: Reconstruction) -> list[str]:
    """Return the quality figures that a reader can judge, with their units."""
    figures = {**reconstruction.total_field.figures, **reconstruction.figures}
    return [
        f"{words}: {shown_number(figures[name] * factor)} {unit}".rstrip()
        for name, words, unit, factor in SHOWN_FIGURES
        if name in figures
    ]


def shown_number(value: float) -> str:
    """Return a number of about three digits without an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) < 0.001:
        return "below 0.001" if value > 0 else "about 0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


def provenance_lines(reconstruction: Reconstruction) -> list[str]:
    """Return how the map was made: engine, weights, settings, libraries, references."""
    provenance = reconstruction.provenance
    lines = [provenance.software, f"method: {provenance.method}"]
    if provenance.engine:
        lines.append(f"engine: {provenance.engine}")
    if provenance.weights_sha256:
        lines.append(f"weights SHA-256: {provenance.weights_sha256[:16]}…")
    lines += [f"{name.replace('_', ' ')}: {value}" for name, value in provenance.parameters.items()]
    lines.append("references: " + ", ".join(provenance.references))
    return lines


def _three_planes(
    figure: Figure,
    bottom: float,
    title: str,
    volume: npt.NDArray[np.float32],
    grid: Grid,
    box: Box,
    views: tuple[Plane, Plane, Plane],
    window: tuple[float, float],
    mask: npt.NDArray[np.bool_] | None,
) -> Any:  # noqa: ANN401 - matplotlib has no types
    """Draw the middle of the box in three planes side by side; return the last image artist."""
    shown = None
    for number, plane in enumerate(views):
        middle = (box[plane.through].stop - box[plane.through].start) // 2
        place = (0.02 + 0.30 * number, bottom, 0.29, 0.255)
        outline = None if mask is None else plane.cut(mask[box], middle)
        shown = show(figure, place, plane.cut(volume[box], middle), window, aspect=plane.aspect(grid), outline=outline)
        show_letters(shown, plane.letters)
    figure.text(0.03, bottom + 0.258, title, color=INK, fontsize=11, va="bottom")
    return shown
