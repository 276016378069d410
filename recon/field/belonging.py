"""Whether what was handed in belongs together: the echoes' positions, their times, and the part of the head seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from recon.masking.head import head_mask
from recon.types import BoolArray, FloatArray, GradientEcho, Grid

_R2STAR_AT_0_PER_S, _R2STAR_PER_S_TESLA = 8.4, 3.6
"""Line through brain tissue's R2* at 1.5, 3 and 7 T (Peters et al., doi:10.1016/j.mri.2007.02.014)."""
_WITHIN_MM = 16.0
"""Images are looked for this far from each other."""
_PLANES = ((0, (1, 2)), (1, (0, 2)), (2, (0, 1)))
"""Axis that is summed over, and the two that are left."""
_SAMPLED_MM, _ALIKE_MM, _COHERENT = 3.0, 8.0, 0.7
"""Voxels that are looked at, size of their neighbourhood, and mean phase step from which on it is tissue's."""


def belonging(echoes: GradientEcho, mask: BoolArray) -> dict[str, float]:
    """Return named figures, the unit in the name.

    ``coverage_along_b0_mm``: extent of the mask along B0; a thin slab's dipole fields leave it.
    ``magnitude_phase_shift_mm``, ``mirrored_overlap_gain``: see :func:`magnitude_beside_phase`. With several echoes
    also ``echo_shift_mm``, by how much an echo lies beside the one before it, and ``r2star_off_by_factor``, how much
    faster or slower the signal decays by the echo times than brain tissue's at this field strength.

    Parameters
    ----------
    echoes
        One echo or more.
    mask
        ``(x, y, z)`` bool, the brain.
    """
    shift_mm, gain = magnitude_beside_phase(echoes)
    figures = {
        "coverage_along_b0_mm": coverage_mm(mask, echoes.grid),
        "magnitude_phase_shift_mm": shift_mm,
        "mirrored_overlap_gain": gain,
    }
    if len(echoes.echo_times_s) > 1:
        figures["echo_shift_mm"] = echo_shift_mm(echoes)
        ratio = max(r2star_over_usual(echoes, mask), 1e-3)
        figures["r2star_off_by_factor"] = max(ratio, 1 / ratio)
    return figures


def coverage_mm(mask: BoolArray, grid: Grid) -> float:
    """Return how far a mask reaches along B0: twelve tenths of the middle five sixths of its voxels."""
    where = np.unravel_index(np.flatnonzero(mask)[::7], mask.shape)
    along = sum(w * (mm * b) for w, mm, b in zip(where, grid.voxel_size_mm, grid.b0_direction, strict=True))
    low, high = np.quantile(along, [1 / 12, 11 / 12])
    return float(high - low) * 1.2


def r2star_over_usual(echoes: GradientEcho, mask: BoolArray) -> float:
    """Return the median R2* between the first echo and one that has decayed to about a third, over the usual one."""
    usual_per_s = _R2STAR_AT_0_PER_S + _R2STAR_PER_S_TESLA * echoes.b0_tesla
    since_s = np.asarray(echoes.echo_times_s) - echoes.echo_times_s[0]
    late = 1 + int(np.argmin(np.abs(since_s[1:] - 1 / usual_per_s)))
    first, last = echoes.magnitude[0][mask][::7], echoes.magnitude[late][mask][::7]
    some = (first > 0) & (last > 0)
    if not some.any():
        return 0.0
    return float(np.median(np.log(first[some] / last[some]))) / float(since_s[late]) / usual_per_s


def echo_shift_mm(echoes: GradientEcho) -> float:
    """Return the largest distance between an echo and the one before it, by their magnitudes' projections."""
    projections = [[volume.sum(axis=axis) for axis, _ in _PLANES] for volume in echoes.magnitude]
    size_mm = echoes.grid.voxel_size_mm
    shifts = (_shift_by_projections_mm(before, after, size_mm) for before, after in pairwise(projections))
    return max(float(np.linalg.norm(shift_mm)) for shift_mm in shifts)


def magnitude_beside_phase(echoes: GradientEcho) -> tuple[float, float]:
    """Compare the head of the first echo's magnitude with that of its phase, which is coherent in tissue alone.

    Returns
    -------
    shift_mm, gain
        How far the two lie from each other, zero where they overlap no better when moved back; and by how much more
        they overlap (Dice coefficient) if one is mirrored.
    """
    stride = [max(1, int(_SAMPLED_MM / mm)) for mm in echoes.grid.voxel_size_mm]
    some = tuple(slice(None, None, step) for step in stride)
    size_mm = [step * mm for step, mm in zip(stride, echoes.grid.voxel_size_mm, strict=True)]
    bright = head_mask(np.ascontiguousarray(echoes.magnitude[0][some])).astype(np.float32)
    coherent = (_coherence(echoes.phase_rad[0], stride, size_mm) > _COHERENT).astype(np.float32)
    if not (bright.any() and coherent.any()):
        return 0.0, 0.0
    of_magnitude, of_phase = ([volume.sum(axis=axis) for axis, _ in _PLANES] for volume in (bright, coherent))
    shift_mm, overlap = _shift_by_projections_mm(of_magnitude, of_phase, size_mm), float((bright * coherent).sum())
    back = [-round(mm / size) for mm, size in zip(shift_mm, size_mm, strict=True)]
    # Where the phase turns steeply its head is smaller, as in a real phantom: that is not a shift.
    shifted = float((bright * np.roll(coherent, back, (0, 1, 2))).sum()) > overlap
    mirrored = max(float((bright * np.flip(coherent, axis)).sum()) for axis in (0, 1, 2))
    gain = 2 * (mirrored - overlap) / float(bright.sum() + coherent.sum())
    return float(np.linalg.norm(shift_mm)) if shifted else 0.0, gain


def _coherence(phase_rad: FloatArray, stride: Sequence[int], size_mm: Sequence[float]) -> FloatArray:
    """Return how alike steps of the phase to the next voxel are within some millimetres, 0..1; zero where none is."""
    size = [2 * round(_ALIKE_MM / mm / 2) + 1 for mm in size_mm]
    own = phase_rad[tuple(slice(None, None, step) for step in stride)]
    total = np.zeros_like(own)
    for axis in range(3):
        beside = np.roll(phase_rad, -1, axis)[tuple(slice(None, None, step) for step in stride)]
        step = np.where(beside == own, np.complex64(0), np.exp(1j * (beside - own)))
        mean = [ndimage.uniform_filter(part, size) for part in (step.real, step.imag)]
        total += np.hypot(*mean)
    return total / np.float32(3)


def _shift_by_projections_mm(
    before: Sequence[FloatArray], after: Sequence[FloatArray], size_mm: Sequence[float]
) -> list[float]:
    """Return by how much a volume is shifted against another along each axis, by their three projections.

    Each component is seen in two projections. The smaller value counts: where signal has decayed beside air, one of
    them may have its peak anywhere.
    """
    components = [np.inf] * 3
    for (_, axes), one, other in zip(_PLANES, before, after, strict=True):
        for axis, mm in zip(axes, _shift_mm(one, other, (size_mm[axes[0]], size_mm[axes[1]])), strict=True):
            components[axis] = min(components[axis], mm, key=abs)
    return components


def _shift_mm(before: FloatArray, after: FloatArray, cell_mm: tuple[float, float]) -> tuple[float, float]:
    """Return where the phase correlation of two images has its peak (Kuglin & Hines 1975), parts of a cell included."""
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in before.shape))
    a, b = (fft.rfft2(image / max(float(image.mean()), 1e-20) * window) for image in (before, after))
    cross = b * a.conj()
    frequency = np.hypot(*np.meshgrid(fft.fftfreq(before.shape[0]), fft.rfftfreq(before.shape[1]), indexing="ij"))
    cross *= np.exp(-((frequency / 0.2) ** 2)) / np.maximum(np.abs(cross), 1e-6 * np.abs(cross).max())
    peak = fft.fftshift(fft.irfft2(cross, before.shape))
    centre = np.array([n // 2 for n in peak.shape])
    reach = [max(1, min(n // 2 - 1, int(_WITHIN_MM / mm))) for n, mm in zip(peak.shape, cell_mm, strict=True)]
    near = peak[tuple(slice(c - r, c + r + 1) for c, r in zip(centre, reach, strict=True))]
    at = np.unravel_index(int(near.argmax()), near.shape)
    found = []
    for axis, (index, r, mm) in enumerate(zip(at, reach, cell_mm, strict=True)):
        line = np.moveaxis(near, axis, 0)[(slice(None), at[1 - axis])]
        found.append((index - r + _between_cells(line, int(index))) * mm)
    return float(found[0]), float(found[1])


def _between_cells(line: npt.NDArray[np.floating], index: int) -> float:
    """Return how far the top of the parabola through three values lies from the middle one, in cells."""
    if not 0 < index < len(line) - 1:
        return 0.0
    left, middle, right = (float(line[index + i]) for i in (-1, 0, 1))
    curvature = left - 2 * middle + right
    return 0.0 if curvature >= 0 else 0.5 * (left - right) / curvature
