"""Simulate a complete scan with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from recon.field.reliability import total_field_of
from recon.lab.simulation.draw.cases import draw_case
from recon.lab.simulation.draw.forward_cases import FORWARD_CASES
from recon.lab.simulation.draw.plan import ScanPlan, SubjectPlan
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.effects.apply import disturbed_field_ppm
from recon.lab.simulation.field import HeadField, head_field, shim
from recon.lab.simulation.signal import average, measure
from recon.lab.simulation.template import load_template
from recon.types import BoolArray, FloatArray, GradientEcho, Grid, TotalField

_NOISE_PPM = 0.002
"""Noise that a noise-free field is said to have: methods weigh voxels by it."""


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
        ``(x, y, z)`` uint8, the constants of :mod:`recon.lab.simulation.head`, at the middle of each voxel.
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

    ``seed`` is the number of the subject among those of the purpose.

    Raises
    ------
    InvalidInputError
        If the case is unknown, or if it needs qsm-forward, which is missing.
    """
    subject = draw_case(name, generator(purpose, seed), voxel_size_mm=voxel_size_mm)
    if name not in FORWARD_CASES:
        return simulate_scan(subject)
    from recon.lab.simulation.forward import simulate_forward  # which gives a scan of this module

    if purpose is not Purpose.EVALUATION:
        raise ValueError(f"{name} is for evaluation only, not for {purpose.name.lower()}")
    return simulate_forward(subject)


def simulate_scan(subject: SubjectPlan) -> SimulatedScan:
    """Apply a subject's plans."""
    return scan_of(head_field(subject.head, subject.scan, load_template()), subject.scan)


def scan_of(made: HeadField, scan: ScanPlan) -> SimulatedScan:
    """Measure a head whose field is known; the scan's grid, place and direction of B0 are those it was made for."""
    parts = scan.oversample
    field = shim(
        disturbed_field_ppm(made, scan, scan.effects), made.volumes.brain, made.lattice.spacing_mm, scan.shim_residual
    )
    echoes = gradient_echo(measure(made, field, scan), scan)
    middle = tuple(slice(n // 2, None, n) for n in parts)
    return SimulatedScan(
        echoes=echoes,
        chi_ppm=average(made.volumes.chi_ppm, parts).numpy(),
        field_ppm=average(field, parts).numpy(),
        brain=(average(made.volumes.brain.float(), parts) > 0.5).numpy(),
        label=made.volumes.label[middle].numpy(),
    )


def gradient_echo(signal: torch.Tensor, scan: ScanPlan) -> GradientEcho:
    """Return the complex echoes ``(echo, x, y, z)`` of a scan as an acquisition."""
    measured = signal.numpy()
    return GradientEcho(
        magnitude=np.abs(measured).astype(np.float32) * 1000.0,
        phase_rad=np.angle(measured).astype(np.float32),
        echo_times_s=scan.echo_times_s,
        b0_tesla=scan.b0_tesla,
        grid=Grid(shape=scan.shape, voxel_size_mm=scan.voxel_size_mm, b0_direction=scan.b0_direction),
    )


def true_total(scan: SimulatedScan) -> TotalField:
    """Return the noise-free total field of a scan in the true brain."""
    return total_field_of(scan.field_ppm, np.full_like(scan.field_ppm, _NOISE_PPM), scan.brain, scan.echoes.grid)
