"""Fields of the sources of a background plan, harmonic inside the brain; they are added before the shim."""

from __future__ import annotations

import numpy as np
import torch

from recon.lab.simulation.draw.plan import BackgroundPlan, SourcePlan, Vector, WavePlan
from recon.lab.simulation.lattice import Lattice, along

_HARMONIC_RADIUS_MM = 80.0


def background_field(plan: BackgroundPlan, lattice: Lattice) -> torch.Tensor:
    """Return the field of a plan on a lattice, ``(x, y, z)`` float32 in ppm; inside a ball its surface's value."""
    axes = [along(lattice.axis_mm(axis), axis) for axis in range(3)]
    field = torch.zeros(lattice.shape)
    for source in plan.sources:
        field += _ball_field(source, axes, lattice.scan.b0_direction)
    for wave in plan.waves:
        field += _wave_field(wave, axes)
    return field


def _ball_field(source: SourcePlan, axes: list[torch.Tensor], b0_direction: Vector) -> torch.Tensor:
    """Return ``χ/3 (a/r)³ (3 cos² - 1)`` outside the ball, and the value at its surface inside."""
    offsets = [axis - c for axis, c in zip(axes, source.centre_mm, strict=True)]
    squared = (offsets[0] ** 2 + offsets[1] ** 2 + offsets[2] ** 2).clamp(min=source.radius_mm**2)
    on_axis = offsets[0] * b0_direction[0] + offsets[1] * b0_direction[1] + offsets[2] * b0_direction[2]
    cosine_squared = on_axis**2 / squared
    return source.chi_ppm / 3.0 * (source.radius_mm**2 / squared) ** 1.5 * (3.0 * cosine_squared - 1.0)


def _wave_field(wave: WavePlan, axes: list[torch.Tensor]) -> torch.Tensor:
    """Return one harmonic polynomial."""
    real = sum((axis * c for axis, c in zip(axes, wave.u, strict=True)), torch.zeros(())) / _HARMONIC_RADIUS_MM
    imaginary = sum((axis * c for axis, c in zip(axes, wave.v, strict=True)), torch.zeros(())) / _HARMONIC_RADIUS_MM
    power = torch.complex(real, imaginary) ** wave.degree
    turned = power * complex(np.cos(wave.angle_rad), np.sin(wave.angle_rad))
    return wave.amplitude_ppm * turned.real
