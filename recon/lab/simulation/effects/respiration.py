"""Breathing and drift: the field fluctuates between lines (ghosts and blur) and between echoes.

The chest moves a susceptibility change about a quarter of a metre below the brain, whose field falls with the third
power of the distance (Van de Moortele et al. 2002, doi:10.1002/mrm.10145).
"""

from __future__ import annotations

import math

import torch

from recon.lab.simulation.draw.effect_plans import DriftPlan, RespirationPlan
from recon.lab.simulation.effects.lines import from_lines, mixed, to_lines

_CHEST_MM = 250.0
_NEAREST_MM = 120.0
_STEP_RAD = 0.5
"""Largest phase step between two states of the breathing cycle."""


def chest_profile(above_mm: torch.Tensor) -> torch.Tensor:
    """Return the strength of the fluctuation ``above_mm`` above the middle of the brain, where it is 1."""
    return (_CHEST_MM / (_CHEST_MM + above_mm).clamp(min=_NEAREST_MM)) ** 3


def breathed(
    echoes: torch.Tensor,
    plan: RespirationPlan,
    profile: torch.Tensor,
    times_s: torch.Tensor,
    echo_times_s: tuple[float, ...],
    b0_tesla: float,
    two_dimensional: bool,
) -> torch.Tensor:
    """Let the field follow the breath from line to line.

    Parameters
    ----------
    echoes
        ``(echo, x, y, z)`` complex.
    plan
        Amplitude and frequency.
    profile
        ``(x, y, z)`` from :func:`chest_profile`.
    times_s
        ``(y, z)``: when each line is acquired.
    echo_times_s, b0_tesla
        Acquisition.
    two_dimensional
        Whether z is not phase-encoded.
    """
    breath = torch.sin(2 * math.pi * plan.breaths_hz * times_s + plan.phase_rad)
    most_hz = plan.hz_at_3t * b0_tesla / 3.0
    rows = zip(echoes, echo_times_s, strict=True)
    radians = [(image, 2 * math.pi * most_hz * echo_time) for image, echo_time in rows]
    return torch.stack([_breathed_echo(image, a * profile, breath, two_dimensional) for image, a in radians])


def _breathed_echo(
    image: torch.Tensor, amplitude_rad: torch.Tensor, breath: torch.Tensor, two_dimensional: bool
) -> torch.Tensor:
    """Mix the lines of images ``(x, y, z)`` between full expiration and full inspiration."""
    states = 2 + math.ceil(2 * float(amplitude_rad.abs().max()) / _STEP_RAD)

    def image_in(state: int) -> torch.Tensor:
        level = 2.0 * state / (states - 1) - 1.0
        return image * torch.polar(torch.ones_like(amplitude_rad), level * amplitude_rad)

    return mixed(image_in, states, (breath + 1.0) / 2.0 * (states - 1), two_dimensional)


def drifted(
    echoes: torch.Tensor, plan: DriftPlan, shares: torch.Tensor, echo_times_s: tuple[float, ...], two_dimensional: bool
) -> torch.Tensor:
    """Let the field drift from line to line, around its mean, and give each echo its constant phase.

    Parameters
    ----------
    echoes
        ``(echo, x, y, z)`` complex.
    plan
        Drift and eddy-current phase.
    shares
        ``(y, z)``: when each line is acquired, as a share of the scan.
    echo_times_s
        Acquisition.
    two_dimensional
        Whether z is not phase-encoded.
    """
    disturbed = []
    for number, (image, echo_time) in enumerate(zip(echoes, echo_times_s, strict=True)):
        phase = 2 * math.pi * plan.hz * echo_time * (shares - 0.5)
        phase = (phase + plan.eddy_rad * math.exp(-number / plan.eddy_echoes)).float()
        lines = to_lines(image, two_dimensional) * torch.polar(torch.ones_like(phase), phase)
        disturbed.append(from_lines(lines, two_dimensional))
    return torch.stack(disturbed)
