"""Faults of the measurement: noise, motion, breathing, ghosts, spikes and metal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import fft

from recon.lab.simulation.draw.effect_plans import DriftPlan, MotionPlan, PosePlan, RespirationPlan
from recon.lab.simulation.draw.plan import vector
from recon.lab.simulation.effects.lines import line_times, scan_time_s
from recon.lab.simulation.effects.motion import moved, posed
from recon.lab.simulation.effects.respiration import breathed, drifted
from recon.lab.simulation.faults.phase import positions, signal_of, with_signal
from recon.operators.dipole import dipole_field
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho

_METAL_RADIUS = 0.06
"""Radius of a metal part over half the field of view."""
_REPETITION_TIME_S = 0.04


def _bright(echoes: GradientEcho) -> float:
    """Return the magnitude of bright tissue in the first echo."""
    return float(np.percentile(echoes.magnitude[0], 90))


def _pose(severity: float, rng: np.random.Generator) -> PosePlan:
    """Return a pose ``severity`` mm and degrees away, in any direction."""
    shift, axis = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 3)))
    return PosePlan(shift_mm=vector(shift * severity), rotation_deg=vector(axis * severity))


def _tensor(echoes: GradientEcho) -> torch.Tensor:
    return torch.from_numpy(signal_of(echoes).astype(np.complex64))


def noise(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Add noise; ``severity`` is its standard deviation over the magnitude of bright tissue."""
    real, imaginary = rng.normal(0.0, severity * _bright(echoes), (2, *echoes.phase_rad.shape))
    return with_signal(echoes, signal_of(echoes) + real + 1j * imaginary)


def motion(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Let the head move by ``severity`` mm and degrees in the second half of the scan.

    The middle of k-space stays where the truth is: a shift of the whole map is not an error of it.
    """
    plan = MotionPlan(poses=(_pose(severity, rng),), starts=(float(rng.uniform(0.51, 0.9)),))
    shares = line_times(echoes.grid.shape, False)
    return with_signal(echoes, moved(_tensor(echoes), plan, echoes.grid.voxel_size_mm, shares, False).numpy())


def motion_between_echoes(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Measure each echo in a scan of its own, the head ``severity`` mm and degrees away from the first one's."""
    first, *others = _tensor(echoes)
    later = [posed(image, _pose(severity, rng), echoes.grid.voxel_size_mm) for image in others]
    return with_signal(echoes, torch.stack([first, *later]).numpy())


def breathing(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Let the field follow the breath by ``severity`` hertz."""
    plan = RespirationPlan(hz_at_3t=severity * 3.0 / echoes.b0_tesla, phase_rad=float(rng.uniform(-np.pi, np.pi)))
    shape = echoes.grid.shape
    seconds = line_times(shape, False) * scan_time_s(shape, _REPETITION_TIME_S, False)
    signal = breathed(
        _tensor(echoes), plan, torch.ones(shape), seconds, echoes.echo_times_s, echoes.b0_tesla, two_dimensional=False
    )
    return with_signal(echoes, signal.numpy())


def drift(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Let the frequency drift by ``severity`` hertz during the scan."""
    shares = line_times(echoes.grid.shape, False)
    plan = DriftPlan(hz=severity, eddy_rad=0.0)
    return with_signal(echoes, drifted(_tensor(echoes), plan, shares, echoes.echo_times_s, False).numpy())


def ghost(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Add a copy shifted by half the field of view along y, ``severity`` as strong, with a phase of its own."""
    signal = signal_of(echoes)
    copy = np.roll(signal, echoes.grid.shape[1] // 2, axis=2) * np.exp(1j * rng.uniform(-np.pi, np.pi))
    return with_signal(echoes, signal + severity * copy)


def spike(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Add stripes of ``severity`` times the magnitude of bright tissue to one echo: a spike in its k-space."""
    spectrum = np.zeros(echoes.grid.shape, np.complex128)
    place = tuple(int(rng.integers(n // 16, n // 4 + 1)) for n in echoes.grid.shape)
    spectrum[place] = severity * _bright(echoes) * spectrum.size * np.exp(1j * rng.uniform(-np.pi, np.pi))
    signal, echo = signal_of(echoes), int(rng.integers(len(echoes.echo_times_s)))
    signal[echo] += fft.ifftn(spectrum)
    return with_signal(echoes, signal)


def metal(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Put a ball of ``severity`` ppm at the rim of the head: its field, its void, and the dephasing around it."""
    x, y, z = np.meshgrid(*(positions(n) for n in echoes.grid.shape), indexing="ij")
    angle, height = rng.uniform(-np.pi, np.pi), rng.uniform(-0.6, 0.4)
    ball = (x - 0.75 * np.cos(angle)) ** 2 + (y - 0.75 * np.sin(angle)) ** 2 + (z - height) ** 2 < _METAL_RADIUS**2
    field_ppm = dipole_field(torch.from_numpy((severity * ball).astype(np.float32)), echoes.grid).numpy()
    signal = signal_of(echoes)
    for number, echo_time in enumerate(echoes.echo_times_s):
        turns = GAMMA_HZ_PER_TESLA * echoes.b0_tesla * 1e-6 * echo_time * field_ppm
        left = np.prod([np.abs(np.sinc(slope)) for slope in np.gradient(turns)], axis=0)
        signal[number] *= np.where(ball, 0.0, left) * np.exp(2j * np.pi * turns)
    return with_signal(echoes, signal)


def lost_magnitude(echoes: GradientEcho, severity: float, rng: np.random.Generator) -> GradientEcho:
    """Let a share ``severity`` of the slices be dark: magnitude zero, phase noise, in all echoes."""
    slices = echoes.grid.shape[2]
    lost = rng.choice(slices, max(1, round(severity * slices)), replace=False)
    magnitude, phase = echoes.magnitude.copy(), echoes.phase_rad.copy()
    magnitude[..., lost] = 0
    phase[..., lost] = rng.uniform(-np.pi, np.pi, phase[..., lost].shape)
    return replace(echoes, magnitude=magnitude, phase_rad=phase)
