"""Second look at voxels whose echoes contradict each other: their field is guessed from neighbours they can trust."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recon.field.fit import REFINEMENTS, FieldFit, fit_voxel
from recon.field.offsets.mcpc3ds import Offsets
from recon.operators.slabs import compiled
from recon.types import BoolArray, FloatArray, GradientEcho

UNCERTAIN_RAD = 0.8
"""RMS residual beyond which a voxel's unwrapping in time is doubted; uniform noise has π/√3 = 1.8."""


@compiled
def _trusted_mean(
    i: int, shape: tuple[int, int, int], field: FloatArray, trusted: npt.NDArray[np.uint8]
) -> tuple[np.float32, int]:
    """Return the mean field of the trusted neighbours of a voxel, and how many there are."""
    ny, nz = shape[1], shape[2]
    x, y, z = i // (ny * nz), i // nz % ny, i % nz
    total, count = np.float32(0), 0
    for axis, (at, step) in enumerate(((x, ny * nz), (y, nz), (z, 1))):
        if at > 0 and trusted[i - step] == 1:
            total += field[i - step]
            count += 1
        if at + 1 < shape[axis] and trusted[i + step] == 1:
            total += field[i + step]
            count += 1
    return total / np.float32(max(count, 1)), count


@compiled
def _regrow(
    shape: tuple[int, int, int],
    doubted: npt.NDArray[np.int64],
    trusted: npt.NDArray[np.uint8],
    phase: FloatArray,
    magnitude: FloatArray,
    times: npt.NDArray[np.float32],
    odd: FloatArray,
    even: FloatArray,
    field: FloatArray,
    residual: FloatArray,
) -> int:
    changed, open_count = 0, doubted.size
    voxel_phase, voxel_magnitude = np.empty(times.size, np.float32), np.empty(times.size, np.float32)
    while open_count > 0:
        left = 0
        for k in range(open_count):
            i = doubted[k]
            guess, support = _trusted_mean(i, shape, field, trusted)
            if support == 0:
                doubted[left] = i
                left += 1
                continue
            for e in range(times.size):
                voxel_phase[e] = phase[e, i]
                voxel_magnitude[e] = magnitude[e, i]
            again, misfit, _ = fit_voxel(voxel_phase, voxel_magnitude, times, odd[i], even[i], guess, REFINEMENTS)
            # A neighbourly field wins ties: in noise every field fits about equally badly.
            if misfit <= residual[i] * np.float32(1.1) and again != field[i]:
                field[i], residual[i] = again, misfit
                changed += 1
            trusted[i] = 1
        if left == open_count:
            break
        open_count = left
    return changed


def regrow_uncertain(echoes: GradientEcho, fit: FieldFit, offsets: Offsets, mask: BoolArray) -> int:
    """Fit uncertain voxels again, in place, from the field of their trusted neighbours outward in.

    Returns
    -------
    int
        How many voxels changed.
    """
    count = len(echoes.echo_times_s)
    uncertain = mask & (fit.residual_rad > UNCERTAIN_RAD)
    doubted = np.flatnonzero(uncertain)
    if count < 2 or doubted.size == 0:
        return 0
    odd, even = offsets.volumes()
    return _regrow(
        echoes.grid.shape,
        doubted,
        (mask & ~uncertain).reshape(-1).astype(np.uint8),
        np.ascontiguousarray(echoes.phase_rad).reshape(count, -1),
        np.ascontiguousarray(echoes.magnitude).reshape(count, -1),
        np.asarray(echoes.echo_times_s, np.float32),
        odd.reshape(-1),
        even.reshape(-1),
        fit.field_rad_per_s.reshape(-1),
        fit.residual_rad.reshape(-1),
    )
