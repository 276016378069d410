"""Flow phase: blood that moves along an uncompensated gradient gains phase with the gradient's first moment.

The moment grows with the echo time, linearly for a train of flyback echoes, quadratically for a gradient that stays on
(Xu et al. 2014, doi:10.1002/mrm.24937); velocities in a vessel have a parabolic profile.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from recon.lab.simulation.draw.effect_plans import FlowPlan, Vector

_REFERENCE_TIME_S = 0.010
_STEP_MM = 0.5


def centre_line(corners_mm: np.ndarray) -> np.ndarray:
    """Return points ``(m, 3)`` every half millimetre along a chain of corners ``(n, 3)``, two or more."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(corners_mm, axis=0), axis=1))])
    wanted = np.linspace(0.0, along[-1], max(2, int(np.ceil(along[-1] / _STEP_MM)) + 1))
    return np.stack([np.interp(wanted, along, corners_mm[:, axis]) for axis in range(3)], axis=1)


def encoded_speed(points_mm: np.ndarray, speed: float, direction: Vector) -> np.ndarray:
    """Return the component ``(m,)`` along ``direction`` of a flow along a centre line ``(m, 3)``."""
    tangents = np.gradient(points_mm, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True).clip(min=1e-9)
    return np.asarray(speed * tangents @ np.asarray(direction))


def velocity_map(
    axes_mm: list[np.ndarray], points_mm: np.ndarray, peak: np.ndarray, radius_mm: np.ndarray
) -> np.ndarray:
    """Return the velocity ``(x, y, z)`` of vessels on a rectilinear lattice, zero outside them.

    Parameters
    ----------
    axes_mm
        Positions along x, y, z.
    points_mm
        ``(m, 3)`` points of centre lines, closer than a voxel.
    peak
        ``(m,)`` encoded velocity on the centre line.
    radius_mm
        ``(m,)`` radius there.
    """
    shape = tuple(len(axis) for axis in axes_mm)
    velocity = np.zeros(shape, dtype=np.float32)
    first = np.array([axis[0] for axis in axes_mm])
    step = np.array([axis[1] - axis[0] for axis in axes_mm])
    nearest = np.round((points_mm - first) / step).astype(np.int64)
    near = np.zeros(shape, dtype=bool)
    near[tuple(nearest[((nearest >= 0) & (nearest < shape)).all(1)].T)] = True
    reach = np.ceil(radius_mm.max(initial=0.0) / step).astype(int)
    voxels = np.argwhere(ndimage.maximum_filter(near, size=tuple(2 * reach + 1)))
    if not len(voxels):
        return velocity
    distance, point = cKDTree(points_mm).query(first + voxels * step)
    profile = np.clip(1.0 - (distance / radius_mm[point]) ** 2, 0.0, None)
    velocity[tuple(voxels.T)] = peak[point] * profile
    return velocity


def rad_per_cm_per_s(plan: FlowPlan, echo_time_s: float) -> float:
    """Return the phase of a velocity of 1 cm/s at an echo time."""
    return math.pi / plan.venc_cm_per_s * (echo_time_s / _REFERENCE_TIME_S) ** plan.power
