"""Faults of the phase of whole echoes: scanners, exports and processing that change it before it is sent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import fft

from recon.operators.wrap import wrap
from recon.types import FloatArray, GradientEcho


def positions(count: int) -> FloatArray:
    """Return -1 to 1 along an axis of ``count`` voxels."""
    return np.linspace(-1.0, 1.0, count, dtype=np.float32)


def with_phase(echoes: GradientEcho, phase_rad: FloatArray) -> GradientEcho:
    """Return the echoes with another phase ``(echo, x, y, z)``, wrapped."""
    return replace(echoes, phase_rad=np.asarray(wrap(phase_rad), dtype=np.float32))


def signal_of(echoes: GradientEcho) -> np.ndarray:
    """Return the complex echoes ``(echo, x, y, z)``."""
    signal: np.ndarray = echoes.magnitude * np.exp(1j * echoes.phase_rad)
    return signal


def with_signal(echoes: GradientEcho, signal: np.ndarray) -> GradientEcho:
    """Return the echoes with another complex signal ``(echo, x, y, z)``."""
    magnitude, phase = np.abs(signal).astype(np.float32), np.angle(signal).astype(np.float32)
    return replace(echoes, magnitude=magnitude, phase_rad=phase)


def echo_constants(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Add a constant to each echo; ``severity`` is their standard deviation in radians."""
    constants = rng.normal(0.0, severity, len(echoes.echo_times_s)).astype(np.float32)
    return with_phase(echoes, echoes.phase_rad + constants[:, None, None, None])


def echo_ramps(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Add a ramp to each echo; ``severity`` is the standard deviation of their ends in radians."""
    slopes = rng.normal(0.0, severity, (len(echoes.echo_times_s), 3)).astype(np.float32)
    x, y, z = np.meshgrid(*(positions(n) for n in echoes.grid.shape), indexing="ij")
    return with_phase(echoes, echoes.phase_rad + np.einsum("ea,axyz->exyz", slopes, np.stack([x, y, z])))


def inverted(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Turn the sense of all phase."""
    return with_phase(echoes, -echoes.phase_rad)


def scaled_phase(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Read the phase with a wrong range: a turn becomes ``1 - severity`` of a turn."""
    return with_phase(echoes, echoes.phase_rad * np.float32(1.0 - severity))


def coarse_phase(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Round the phase to steps of ``severity`` radians."""
    step = np.float32(severity)
    return with_phase(echoes, np.round(echoes.phase_rad / step) * step)


def swapped_echoes(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Exchange the phase of two echoes."""
    order = np.arange(len(echoes.echo_times_s))
    first = int(rng.integers(len(order) - 1))
    order[[first, first + 1]] = order[[first + 1, first]]
    return replace(echoes, phase_rad=np.ascontiguousarray(echoes.phase_rad[order]))


def repeated_echo(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Send the phase of one echo twice, the second time as that of the next echo."""
    phase, first = echoes.phase_rad.copy(), int(rng.integers(len(echoes.echo_times_s) - 1))
    phase[first + 1] = phase[first]
    return replace(echoes, phase_rad=phase)


def mirrored_phase(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Mirror the phase against the magnitude along the first axis."""
    return replace(echoes, phase_rad=np.ascontiguousarray(echoes.phase_rad[:, ::-1]))


def displaced_phase(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Take the magnitude of another run: the phase lies ``severity`` mm away from it, along any direction."""
    direction = rng.standard_normal(3)
    shift_mm = severity * direction / np.linalg.norm(direction)
    voxels = [round(float(s) / size) for s, size in zip(shift_mm, echoes.grid.voxel_size_mm, strict=True)]
    return replace(echoes, phase_rad=np.roll(echoes.phase_rad, voxels, axis=(1, 2, 3)))


def homodyne(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """High-pass filter the phase as for SWI; ``severity`` is the window's share of k-space, slice by slice."""
    x, y = (
        np.maximum(np.cos(np.pi / 2 * np.minimum(np.abs(fft.fftfreq(n)) * 2 / severity, 1.0)), 0.0)
        for n in echoes.grid.shape[:2]
    )
    low = fft.ifft2(fft.fft2(signal_of(echoes), axes=(1, 2)) * (x[:, None] * y)[:, :, None], axes=(1, 2))
    return with_phase(echoes, (echoes.phase_rad - np.angle(low)).astype(np.float32))


def fringes(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Let the phase of all echoes turn once around each of ``severity`` lines through the head, rounded."""
    phase = echoes.phase_rad
    x, y, z = np.meshgrid(*(positions(n) for n in echoes.grid.shape), indexing="ij")
    for _ in range(max(1, round(severity))):
        a, b = rng.uniform(-0.5, 0.5, 2).astype(np.float32)
        lean = rng.normal(0.0, 0.3, 2).astype(np.float32)
        phase = phase + np.arctan2(y - b - lean[1] * z, x - a - lean[0] * z)
    return with_phase(echoes, phase)


def conjugate_echoes(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Turn the sense of every second echo."""
    phase = echoes.phase_rad.copy()
    phase[1::2] *= -1
    return replace(echoes, phase_rad=phase)
