"""A state that changes while the lines of k-space are acquired: each line belongs to the image of its own moment.

Phase encoding is along y, and along z as well unless slices are excited one by one. Lines follow each other from the
most negative frequency to the highest, partitions innermost.
"""

from __future__ import annotations

from collections.abc import Callable

import torch


def line_times(shape: tuple[int, int, int], two_dimensional: bool) -> torch.Tensor:
    """Return when each line ``(y, z)`` is acquired, as a share of the scan, 0 to below 1."""
    _, y, z = shape
    first = torch.arange(y, dtype=torch.float64)[:, None] / y
    inner = torch.arange(z, dtype=torch.float64)[None] / z
    if two_dimensional:
        # Odd slices, then even ones, within each repetition.
        inner = torch.argsort(torch.cat([torch.arange(0, z, 2), torch.arange(1, z, 2)])).double()[None] / z
    return first + inner / y


def scan_time_s(shape: tuple[int, int, int], repetition_time_s: float, two_dimensional: bool) -> float:
    """Return how long all lines take."""
    return repetition_time_s * shape[1] * (1 if two_dimensional else shape[2])


def to_lines(volume: torch.Tensor, two_dimensional: bool) -> torch.Tensor:
    """Return the lines of ``(..., x, y, z)``, most negative frequency first; x stays in image space."""
    axes = (-2,) if two_dimensional else (-2, -1)
    lines: torch.Tensor = torch.fft.fftshift(torch.fft.fftn(volume, dim=axes), dim=axes)
    return lines


def from_lines(lines: torch.Tensor, two_dimensional: bool) -> torch.Tensor:
    """Invert :func:`to_lines`."""
    axes = (-2,) if two_dimensional else (-2, -1)
    volume: torch.Tensor = torch.fft.ifftn(torch.fft.ifftshift(lines, dim=axes), dim=axes)
    return volume


def mixed(
    image_in: Callable[[int], torch.Tensor], states: int, position: torch.Tensor, two_dimensional: bool
) -> torch.Tensor:
    """Return the image whose lines come from several states.

    Parameters
    ----------
    image_in
        Gives the complex image ``(..., x, y, z)`` in state 0 to ``states - 1``.
    states
        Number of states.
    position
        ``(y, z)``: the state of each line; between two states lines are interpolated linearly.
    two_dimensional
        Whether z is not phase-encoded.
    """
    total = torch.zeros((), device=position.device)
    for state in range(states):
        weight = (1.0 - (position - state).abs()).clamp(min=0.0).float()
        if weight.any():
            total = total + to_lines(image_in(state), two_dimensional) * weight
    return from_lines(total, two_dimensional)
