"""The pages of a reconstruction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recon.operators.boxes import mask_box
from recon.quality.page.canvas import FAINT, INK, new_page, pixels
from recon.quality.page.mosaic import geometry, show, show_bar, tiles
from recon.quality.page.orientation import Plane, planes
from recon.quality.page.summary import summary_page
from recon.types import GAMMA_HZ_PER_TESLA, FloatArray, GradientEcho, Reconstruction, SusceptibilityMap

TISSUE_WINDOW_PPB = (-200.0, 200.0)
HAEMORRHAGE_WINDOW_PPB = (-1000.0, 1000.0)
UNCERTAINTY_WINDOW_PPB = (0.0, 50.0)
_COLUMNS, _ROWS = 5, 4


def quality_pages(
    echoes: GradientEcho, reconstruction: Reconstruction, *, affine: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.uint8], ...]:
    """Return the pages that show a map and its quality.

    Parameters
    ----------
    echoes, reconstruction
        The acquisition; its map with figures and provenance.
    affine
        ``(4, 4)`` from voxel to RAS mm, for the patient's directions at the edges.

    Returns
    -------
    tuple of numpy.ndarray
        Summary, QSM in the tissue window, QSM in the haemorrhage window, its uncertainty where one is known, total
        field; each ``(rows, columns, 3)`` uint8 RGB, all of one size.
    """
    from recon.network.error_pattern import uncertainty_ppb

    views = planes(affine)
    chi, total = reconstruction.susceptibility, reconstruction.total_field
    made_by = reconstruction.provenance.weights_sha256
    sd_ppb = uncertainty_ppb(chi.chi_ppm, total, reconstruction.expected_error, made_by)
    return (
        summary_page(echoes, reconstruction, views, TISSUE_WINDOW_PPB),
        _chi_page(reconstruction, views[0], TISSUE_WINDOW_PPB, "tissue window"),
        _chi_page(reconstruction, views[0], HAEMORRHAGE_WINDOW_PPB, "haemorrhage window"),
        *(() if sd_ppb is None else (_uncertainty_page(sd_ppb, chi, views[0]),)),
        _field_page(echoes, reconstruction, views[0]),
    )


def field_window_hz(b0_tesla: float) -> tuple[float, float]:
    """Return the window of the total field: wider in steps of 3 T."""
    limit = 100.0 * max(1.0, round(b0_tesla / 3.0))
    return -limit, limit


def _chi_page(
    reconstruction: Reconstruction, plane: Plane, window_ppb: tuple[float, float], name: str
) -> npt.NDArray[np.uint8]:
    """Return the mosaic of the map in a fixed window."""
    chi = reconstruction.susceptibility
    window = f"black {window_ppb[0]:+.0f} to white {window_ppb[1]:+.0f} ppb"
    heading = f"{window}; zero is the {chi.reference}; {geometry(chi.grid)}"
    return _mosaic_page(f"QSM, {name}", heading, chi.chi_ppm * np.float32(1e3), chi, plane, window_ppb)


def _uncertainty_page(sd_ppb: FloatArray, chi: SusceptibilityMap, plane: Plane) -> npt.NDArray[np.uint8]:
    """Return the mosaic of the map's standard deviation."""
    limit = UNCERTAINTY_WINDOW_PPB[1]
    heading = f"one standard deviation of each voxel, black 0 to white {limit:.0f} ppb; {geometry(chi.grid)}"
    return _mosaic_page("Uncertainty of susceptibility", heading, sd_ppb, chi, plane, UNCERTAINTY_WINDOW_PPB)


def _mosaic_page(
    title: str,
    heading: str,
    volume_ppb: FloatArray,
    chi: SusceptibilityMap,
    plane: Plane,
    window_ppb: tuple[float, float],
) -> npt.NDArray[np.uint8]:
    """Return slices of a volume on the grid of a map."""
    figure = new_page(title, heading)
    sheet = tiles(volume_ppb, mask_box(chi.mask, 2), plane, _COLUMNS * _ROWS, _COLUMNS)
    shown = show(figure, (0.02, 0.05, 0.86, 0.845), sheet, window_ppb, aspect=plane.aspect(chi.grid))
    left, right, top, bottom = plane.letters
    text = f"every tile: left {left}, right {right}, top {top}, bottom {bottom}"
    figure.text(0.03, 0.924, text, color=FAINT, fontsize=10.5, va="top")
    show_bar(figure, (0.90, 0.25, 0.018, 0.45), shown, "ppb")
    return pixels(figure)


def _field_page(echoes: GradientEcho, reconstruction: Reconstruction, plane: Plane) -> npt.NDArray[np.uint8]:
    """Return the total field and the histogram of the map."""
    total = reconstruction.total_field
    hz = total.field_ppm * np.float32(GAMMA_HZ_PER_TESLA * 1e-6 * echoes.b0_tesla)
    window_hz = field_window_hz(echoes.b0_tesla)
    figure = new_page("Total field and distribution of susceptibility", geometry(total.grid))
    sheet = tiles(hz, mask_box(total.mask, 2), plane, 10, 5)
    shown = show(figure, (0.02, 0.42, 0.86, 0.49), sheet, window_hz, aspect=plane.aspect(total.grid))
    show_bar(figure, (0.90, 0.50, 0.018, 0.33), shown, "Hz")
    chi_ppb = reconstruction.susceptibility.chi_ppm[total.mask] * 1e3
    axes = figure.add_axes((0.08, 0.10, 0.84, 0.26), facecolor="#181818")
    edges = np.linspace(-500, 500, 201)
    counts, _ = np.histogram(chi_ppb, edges)
    share = 100 * counts / max(1, chi_ppb.size)
    axes.stairs(share, edges, fill=True, color="#7fb2ff")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_xlim(-500, 500)
    axes.set_xlabel("susceptibility (ppb)", color=INK, fontsize=11)
    axes.set_ylabel("share of mask per 5 ppb (%)", color=INK, fontsize=11)
    axes.tick_params(colors=INK, labelsize=9.5)
    for side in axes.spines.values():
        side.set_color(FAINT)
    beyond = 100 * float(np.mean(np.abs(chi_ppb) > 500))
    axes.set_title(f"{beyond:.2f} % of the mask beyond ±500 ppb", color=INK, fontsize=11, loc="left")
    return pixels(figure)
