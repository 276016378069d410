"""The picture of the demonstration: from magnitude and wrapped phase to QSM, truth and error."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recon.lab.pictures.planes import Panel, draw_panels
from recon.lab.simulation.head import NUCLEUS_LABEL
from recon.lab.simulation.scan import SimulatedScan
from recon.types import FloatArray, GradientEcho, TotalField

_CHI_WINDOW = (-0.15, 0.2)


def draw_demo(measured: GradientEcho, total: TotalField, chi_ppm: FloatArray, scan: SimulatedScan, path: Path) -> None:
    """Draw six rows in three planes through the deep grey nuclei; ``chi_ppm`` is the map as read back from the PACS."""
    brain = scan.brain
    truth = np.where(brain, scan.chi_ppm - scan.chi_ppm[brain].mean(), 0.0)
    chi = np.where(chi_ppm != 0, chi_ppm - chi_ppm[brain].mean(), 0.0)
    bright = float(np.percentile(measured.magnitude[0], 99.5))
    last_ms = measured.echo_times_s[-1] * 1e3
    panels = (
        Panel(title="magnitude, first echo", volume=measured.magnitude[0], window=(0.0, bright)),
        Panel(title=f"wrapped phase at {last_ms:.1f} ms (rad)", volume=measured.phase_rad[-1], window=(-np.pi, np.pi)),
        Panel(title="total field (ppm)", volume=total.field_ppm, window=(-0.6, 0.6)),
        Panel(title="QSM, read back from the PACS (ppm)", volume=chi, window=_CHI_WINDOW),
        Panel(title="truth (ppm)", volume=truth, window=_CHI_WINDOW),
        Panel(title="error (ppm)", volume=np.where(brain, chi - truth, 0.0), window=(-0.15, 0.15)),
    )
    draw_panels(panels, scan.echoes.grid, path, centre=_nuclei_centre(scan))


def _nuclei_centre(scan: SimulatedScan) -> tuple[int, int, int]:
    """Return the voxel in the middle of the pallida, a little off the midline."""
    x, y, z = np.nonzero(scan.label == NUCLEUS_LABEL["pallidum"])
    if not len(x):
        shape = scan.echoes.grid.shape
        return (shape[0] // 2, shape[1] // 2, shape[2] // 2)
    return (int(np.percentile(x, 25)), int(np.median(y)), int(np.median(z)))
