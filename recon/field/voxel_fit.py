"""Kernels of the field fit, voxel by voxel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recon.field.dephasing import echo_weight
from recon.operators.slabs import compiled
from recon.operators.wrap import unwrap_toward, wrap_scalar
from recon.types import BoolArray, FloatArray

_SETTLED_RAD = np.float32(1e-3)
"""Step of the last echo's phase below which refining a field ends; what is left is far below any noise."""


@compiled
def fit_voxel(
    phase: npt.NDArray[np.float32],
    weight: npt.NDArray[np.float32],
    times: npt.NDArray[np.float32],
    odd: np.float32,
    even: np.float32,
    guess: np.float32,
    refinements: int,
) -> tuple[np.float32, np.float32]:
    """Return field (rad/s) and residual (rad) of one voxel from a guess of its field."""
    field, numerator, information, weight_sum = guess, np.float32(0), np.float32(0), np.float32(0)
    for e in range(times.size):
        offset = even if e & 1 else odd
        unwrapped = unwrap_toward(phase[e] - offset, field * times[e])
        numerator += weight[e] * times[e] * unwrapped
        information += weight[e] * times[e] * times[e]
        weight_sum += weight[e]
        if information > 0:
            field = numerator / information
    if not information > 0:
        return guess, np.float32(np.pi)
    for _ in range(refinements if times.size > 1 else 0):
        slope = np.float32(0)
        for e in range(times.size):
            offset = even if e & 1 else odd
            slope += weight[e] * times[e] * np.sin(phase[e] - offset - field * times[e])
        field += slope / information
        if abs(slope) * times[-1] < _SETTLED_RAD * information:
            break
    square = np.float32(0)
    for e in range(times.size):
        residual = wrap_scalar(phase[e] - (even if e & 1 else odd) - field * times[e])
        square += weight[e] * residual * residual
    return field, np.sqrt(square / weight_sum)


@compiled
def _load_voxel(
    i: int,
    phase: FloatArray,
    magnitude: FloatArray,
    times: npt.NDArray[np.float32],
    spread: np.float32,
    bias_per_noise: np.float32,
    voxel_phase: npt.NDArray[np.float32],
    weight: npt.NDArray[np.float32],
) -> bool:
    """Copy a voxel's echoes; return whether dephasing changes the weight of any."""
    dephased = False
    for e in range(times.size):
        power = magnitude[e, i] * magnitude[e, i]
        voxel_phase[e] = phase[e, i]
        weight[e] = echo_weight(magnitude[e, i], times[e], spread, bias_per_noise)
        dephased |= weight[e] < np.float32(0.9) * power
    return dephased


@compiled
def _uncertainty(
    i: int,
    magnitude: FloatArray,
    times: npt.NDArray[np.float32],
    weight: npt.NDArray[np.float32],
    spread: np.float32,
) -> tuple[np.float32, np.float32]:
    """Return a voxel's information, and how dephasing of ``FIELD.dephasing_rad`` moves its field.

    Noise is independent between the echoes; dephasing moves all of them to the same side.
    """
    variance, moved, total = np.float32(0), np.float32(0), np.float32(0)
    for e in range(times.size):
        share = weight[e] * times[e]
        total += share * times[e]
        moved += share * (spread * times[e]) ** 2
        if weight[e] > 0:
            variance += share * share / (magnitude[e, i] * magnitude[e, i])
    if not total > 0:
        return np.float32(0), np.float32(0)
    return total * total / variance, moved / total


@compiled
def fit_voxels(
    start: int,
    stop: int,
    plane: int,
    phase: FloatArray,
    magnitude: FloatArray,
    times: npt.NDArray[np.float32],
    odd: FloatArray,
    even: FloatArray,
    mask: BoolArray,
    spread: FloatArray,
    bias_per_noise: np.float32,
    refinements: int,
    field: FloatArray,
    residual: FloatArray,
    information: FloatArray,
    dephasing: FloatArray,
) -> None:
    """Fit the voxels of a mask from the field given; with a bias of dephasing only those whose weights it changes."""
    voxel_phase, weight = np.empty(times.size, np.float32), np.empty(times.size, np.float32)
    for i in range(start * plane, stop * plane):
        if not mask[i]:
            field[i] = 0
            continue
        # No echo has more signal than the first, and none has dephased more than the last.
        most = bias_per_noise * (spread[i] * times[-1]) ** 2 * magnitude[0, i]
        if bias_per_noise > 0 and most < np.float32(0.3):
            continue
        dephased = _load_voxel(i, phase, magnitude, times, spread[i], bias_per_noise, voxel_phase, weight)
        if dephased or bias_per_noise == 0:
            field[i], residual[i] = fit_voxel(voxel_phase, weight, times, odd[i], even[i], field[i], refinements)
            information[i], dephasing[i] = _uncertainty(i, magnitude, times, weight, spread[i])


@compiled
def _reliable_mean(
    i: int, shape: tuple[int, int, int], field: FloatArray, reliable: npt.NDArray[np.uint8]
) -> tuple[np.float32, int]:
    """Return the mean field of the reliable neighbours of a voxel, and how many there are."""
    ny, nz = shape[1], shape[2]
    x, y, z = i // (ny * nz), i // nz % ny, i % nz
    total, count = np.float32(0), 0
    for axis, (at, step) in enumerate(((x, ny * nz), (y, nz), (z, 1))):
        if at > 0 and reliable[i - step] == 1:
            total += field[i - step]
            count += 1
        if at + 1 < shape[axis] and reliable[i + step] == 1:
            total += field[i + step]
            count += 1
    return total / np.float32(max(count, 1)), count


@compiled
def refit_doubted(
    shape: tuple[int, int, int],
    doubted: npt.NDArray[np.int64],
    reliable: npt.NDArray[np.uint8],
    phase: FloatArray,
    magnitude: FloatArray,
    times: npt.NDArray[np.float32],
    odd: FloatArray,
    even: FloatArray,
    spread: FloatArray,
    bias_per_noise: np.float32,
    refinements: int,
    tie_ratio: np.float32,
    field: FloatArray,
    residual: FloatArray,
) -> int:
    """Fit doubted voxels again from their reliable neighbours, nearest first; return how many changed."""
    changed, open_count = 0, doubted.size
    voxel_phase, weight = np.empty(times.size, np.float32), np.empty(times.size, np.float32)
    while open_count > 0:
        left = 0
        for k in range(open_count):
            i = doubted[k]
            guess, support = _reliable_mean(i, shape, field, reliable)
            if support == 0:
                doubted[left] = i
                left += 1
                continue
            _load_voxel(i, phase, magnitude, times, spread[i], bias_per_noise, voxel_phase, weight)
            again, misfit = fit_voxel(voxel_phase, weight, times, odd[i], even[i], guess, refinements)
            # A neighbourly field wins ties: in noise every field fits about equally badly.
            if misfit <= residual[i] * tie_ratio and again != field[i]:
                field[i], residual[i] = again, misfit
                changed += 1
            reliable[i] = 1
        if left == open_count:
            break
        open_count = left
    return changed
