"""Faults of single slices and slabs, which lie along z."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recon.lab.simulation.faults.phase import with_phase
from recon.types import FloatArray, GradientEcho


def _slabs(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the number of the slab of each of ``count`` slices, two to four slabs."""
    return np.arange(count) * int(rng.integers(2, 5)) // count


def slice_offsets(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Add a constant to each slice, the same for all echoes; ``severity`` is its standard deviation in radians."""
    offsets = rng.normal(0.0, severity, echoes.grid.shape[2]).astype(np.float32)
    return with_phase(echoes, echoes.phase_rad + offsets)


def slice_offsets_per_echo(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Add a constant to each slice of each echo; ``severity`` is its standard deviation in radians."""
    shape = (len(echoes.echo_times_s), 1, 1, echoes.grid.shape[2])
    return with_phase(echoes, echoes.phase_rad + rng.normal(0.0, severity, shape).astype(np.float32))


def slab_phases(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Add a constant to each slab; ``severity`` is its standard deviation in radians."""
    slab = _slabs(echoes.grid.shape[2], rng)
    offsets: FloatArray = rng.normal(0.0, severity, 4).astype(np.float32)
    return with_phase(echoes, echoes.phase_rad + offsets[slab])


def slab_fields(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Change the frequency of each slab; ``severity`` is the standard deviation in hertz."""
    slab = _slabs(echoes.grid.shape[2], rng)
    hertz = rng.normal(0.0, severity, 4)[slab]
    turns = np.outer(echoes.echo_times_s, hertz)[:, None, None, :]
    return with_phase(echoes, (echoes.phase_rad + 2 * np.pi * turns).astype(np.float32))


def inverted_slab(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Turn the sense of the phase in a share ``severity`` of the slices, next to each other."""
    count = max(1, round(severity * echoes.grid.shape[2]))
    first = int(rng.integers(echoes.grid.shape[2] - count + 1))
    phase = echoes.phase_rad.copy()
    phase[..., first : first + count] *= -1
    return replace(echoes, phase_rad=phase)


def lost_slices(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Let the phase of a share ``severity`` of the slices be zero."""
    slices = echoes.grid.shape[2]
    lost = rng.choice(slices, max(1, round(severity * slices)), replace=False)
    phase = echoes.phase_rad.copy()
    phase[..., lost] = 0
    return replace(echoes, phase_rad=phase)


def disordered_slices(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Exchange neighbouring slices, magnitude and phase; ``severity`` is the share of the slices."""
    slices = echoes.grid.shape[2]
    order = np.arange(slices)
    for first in 2 * rng.choice(slices // 2, max(1, round(severity * slices / 2)), replace=False):
        order[[first, first + 1]] = order[[first + 1, first]]
    magnitude, phase = (np.ascontiguousarray(v[..., order]) for v in (echoes.magnitude, echoes.phase_rad))
    return replace(echoes, magnitude=magnitude, phase_rad=phase)
