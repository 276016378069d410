"""Wrapping: the one place that knows what 2π does to a phase."""

from __future__ import annotations

from typing import Final

import numpy as np

from recon.operators.slabs import compiled
from recon.types import FloatArray

TWO_PI: Final = np.float32(2 * np.pi)
_PER_TURN: Final = np.float32(1 / (2 * np.pi))


@compiled
def wrap_scalar(phase_rad: np.float32) -> np.float32:
    """Return the phase in [-π, π] that differs by a multiple of 2π."""
    return np.float32(phase_rad - TWO_PI * np.rint(phase_rad * _PER_TURN))


@compiled
def unwrap_toward(phase_rad: np.float32, predicted_rad: np.float32) -> np.float32:
    """Return the phase plus the multiple of 2π that brings it closest to a prediction."""
    return np.float32(phase_rad + TWO_PI * np.rint((predicted_rad - phase_rad) * _PER_TURN))


def wrap(phase_rad: FloatArray) -> FloatArray:
    """Return the phase in [-π, π] that differs by a multiple of 2π, per element; any shape, float32."""
    wrapped: FloatArray = phase_rad - TWO_PI * np.rint(phase_rad * _PER_TURN)
    return wrapped
