"""Faults of what the headers say: times, field strength, direction and distances that are not those of the scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recon.lab.simulation.draw.plan import vector
from recon.types import GradientEcho


def scaled_times(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """State echo times, or a field strength, that are ``severity`` times too large or too small."""
    factor = severity if rng.random() < 0.5 else 1.0 / severity
    return replace(echoes, echo_times_s=tuple(t * factor for t in echoes.echo_times_s))


def first_echo_missing(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """State for each echo the time of the echo before it."""
    times_s = echoes.echo_times_s
    return replace(echoes, magnitude=echoes.magnitude[1:], phase_rad=echoes.phase_rad[1:], echo_times_s=times_s[:-1])


def tilted_field(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """State a direction of B0 that is ``severity`` degrees off."""
    b0 = np.asarray(echoes.grid.b0_direction)
    across = np.cross(b0, rng.standard_normal(3))
    across /= np.linalg.norm(across)
    angle = np.radians(severity)
    tilted = np.cos(angle) * b0 + np.sin(angle) * across
    return replace(echoes, grid=replace(echoes.grid, b0_direction=vector(tilted / np.linalg.norm(tilted))))


def scaled_slices(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """State a distance of slices that is ``severity`` times too large or too small."""
    factor = severity if rng.random() < 0.5 else 1.0 / severity
    x, y, z = echoes.grid.voxel_size_mm
    return replace(echoes, grid=replace(echoes.grid, voxel_size_mm=(x, y, z * factor)))
