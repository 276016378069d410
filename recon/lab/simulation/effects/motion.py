"""Rigid motion during the scan: the lines of k-space come from several poses.

The whole complex image moves, receive phase included: that the head moves in a fixed receive field and that its field
follows its direction are left out. Rotation is three shears per axis, each a Fourier shift, and keeps every bit of
resolution (Unser et al. 1995, doi:10.1109/83.465102).
"""

from __future__ import annotations

import math

import torch

from recon.lab.simulation.draw.effect_plans import MotionPlan, PosePlan, Vector
from recon.lab.simulation.effects.lines import mixed


def moved(
    echoes: torch.Tensor, plan: MotionPlan, spacing_mm: Vector, shares: torch.Tensor, two_dimensional: bool
) -> torch.Tensor:
    """Mix the lines of several poses.

    Parameters
    ----------
    echoes
        ``(echo, x, y, z)`` complex.
    plan
        Poses and when they begin.
    spacing_mm
        Voxel size.
    shares
        ``(y, z)``: when each line is acquired, as a share of the scan.
    two_dimensional
        Whether z is not phase-encoded.
    """

    def image_in(state: int) -> torch.Tensor:
        return echoes if state == 0 else posed(echoes, plan.poses[state - 1], spacing_mm)

    position = torch.zeros_like(shares)
    for start in plan.starts:
        position = position + (shares >= start)
    return mixed(image_in, len(plan.poses) + 1, position, two_dimensional)


def posed(image: torch.Tensor, pose: PosePlan, spacing_mm: Vector) -> torch.Tensor:
    """Rotate a complex image ``(..., x, y, z)`` about x, then y, then z through its middle, then shift it."""
    for axis, angle_deg in enumerate(pose.rotation_deg):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        angle = math.radians(angle_deg)
        if angle:
            image = _sheared(image, first, second, -math.tan(angle / 2), spacing_mm)
            image = _sheared(image, second, first, math.sin(angle), spacing_mm)
            image = _sheared(image, first, second, -math.tan(angle / 2), spacing_mm)
    for axis, shift_mm in enumerate(pose.shift_mm):
        if shift_mm:
            image = _shifted(image, axis, torch.full((1, 1, 1), shift_mm / spacing_mm[axis], device=image.device))
    return image


def _sheared(image: torch.Tensor, axis: int, across: int, slope: float, spacing_mm: Vector) -> torch.Tensor:
    """Shift along ``axis`` by ``slope`` times the position along ``across``."""
    count = image.shape[across - 3]
    position = (torch.arange(count, device=image.device) - (count - 1) / 2) * spacing_mm[across]
    return _shifted(image, axis, slope * _along(position, across) / spacing_mm[axis])


def _shifted(image: torch.Tensor, axis: int, voxels: torch.Tensor) -> torch.Tensor:
    """Shift along ``axis`` by ``voxels``, which broadcasts against ``(x, y, z)``."""
    cycles = _along(torch.fft.fftfreq(image.shape[axis - 3], device=image.device), axis)
    phase = -2 * math.pi * cycles * voxels
    spectrum = torch.fft.fft(image, dim=axis - 3) * torch.polar(torch.ones_like(phase), phase)
    shifted: torch.Tensor = torch.fft.ifft(spectrum, dim=axis - 3)
    return shifted


def _along(values: torch.Tensor, axis: int) -> torch.Tensor:
    """Shape values along one axis of ``(x, y, z)``."""
    return values.reshape([-1 if axis == other else 1 for other in range(3)])
