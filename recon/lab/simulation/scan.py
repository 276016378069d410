"""Simulate a complete scan with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon.lab.simulation.draw.cases import draw_case
from recon.lab.simulation.draw.plan import SubjectPlan
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.field import head_field, shim
from recon.lab.simulation.signal import measure, true_voxels
from recon.lab.simulation.template import load_template
from recon.types import BoolArray, FloatArray, GradientEcho, Grid


@dataclass(frozen=True, kw_only=True)
class SimulatedScan:
    """Echoes as the scanner would give them, and what they were made of.

    Parameters
    ----------
    echoes
        The acquisition.
    chi_ppm
        ``(x, y, z)`` true susceptibility relative to water, voxel means.
    field_ppm
        ``(x, y, z)`` true total field after the shim.
    brain
        ``(x, y, z)`` true inside the brain's surface.
    label
        ``(x, y, z)`` uint8, the constants of :mod:`recon.lab.simulation.head`.
    """

    echoes: GradientEcho
    chi_ppm: FloatArray
    field_ppm: FloatArray
    brain: BoolArray
    label: np.ndarray


def simulate_case(
    name: str, seed: int, *, purpose: Purpose = Purpose.EVALUATION, voxel_size_mm: float | None = None
) -> SimulatedScan:
    """Simulate a named case; see :func:`recon.lab.simulation.draw.cases.draw_case`.

    Parameters
    ----------
    name
        Case.
    seed
        Number of the subject.
    purpose
        What the scan will be used for; training never sees evaluation subjects.
    voxel_size_mm
        Smallest voxel edge, for quick tests; the case's own when not given.
    """
    return simulate_scan(draw_case(name, generator(purpose, seed), voxel_size_mm=voxel_size_mm))


def simulate_scan(subject: SubjectPlan) -> SimulatedScan:
    """Apply a subject's plans."""
    scan = subject.scan
    made = head_field(subject.head, scan, load_template())
    spacing = made.lattice.spacing_mm
    field = shim(made.field_ppm, made.volumes.brain, spacing, scan.shim_residual)
    truth = true_voxels(made, field, scan)
    signal = measure(made, field, scan).numpy()
    grid = Grid(shape=scan.shape, voxel_size_mm=scan.voxel_size_mm, b0_direction=scan.b0_direction)
    echoes = GradientEcho(
        magnitude=np.abs(signal).astype(np.float32) * 1000.0,
        phase_rad=np.angle(signal).astype(np.float32),
        echo_times_s=scan.echo_times_s,
        b0_tesla=scan.b0_tesla,
        grid=grid,
    )
    return SimulatedScan(
        echoes=echoes,
        chi_ppm=truth.chi_ppm.numpy(),
        field_ppm=truth.field_ppm.numpy(),
        brain=truth.brain.numpy(),
        label=truth.label.numpy(),
    )
