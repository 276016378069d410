"""How wrong a total field is, where, and whether its noise estimate admits it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from recon.lab.simulation.head import LESION_LABEL
from recon.types import BoolArray, FloatArray

_LARGE_PPM = 0.05
_STRONG_SOURCE_PPM = 0.5
_ROBUST_SD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_DEPTHS_MM = (0.0, 2.0, 4.0, 8.0, math.inf)
_DISTANCES_MM = (-1.0, 4.0, 8.0, math.inf)


@dataclass(frozen=True, kw_only=True)
class FieldErrors:
    """Error of a field in the judged voxels.

    Parameters
    ----------
    wrap_errors_percent
        Share of them whose field is nearer to a wrong branch of 2π than to the true one.
    rms_ppb, p99_ppb
        Root mean square and 99th percentile of the error.
    robust_ppb
        1.4826 times the median absolute deviation of the error.
    above_50ppb_percent
        Share of the voxels with a larger error.
    """

    wrap_errors_percent: float
    rms_ppb: float
    p99_ppb: float
    robust_ppb: float
    above_50ppb_percent: float


@dataclass(frozen=True, kw_only=True)
class PartErrors:
    """Error of a field in a part of the judged voxels: its name, its share of them, and as :class:`FieldErrors`."""

    part: str
    share_percent: float
    rms_ppb: float
    robust_ppb: float
    above_50ppb_percent: float


def errors_ppm(
    field_ppm: FloatArray, truth_ppm: FloatArray, region: BoolArray, branch_ppm: float, *, order: int = 0
) -> np.ndarray:
    """Return the error of a field at the voxels of a region, one after the other, its smooth part removed.

    Parameters
    ----------
    field_ppm, truth_ppm
        ``(x, y, z)``.
    region
        ``(x, y, z)`` bool, voxels to judge.
    branch_ppm
        What the field changes by when the phase of the last echo changes by 2π.
    order
        Order of the polynomial in space that is not an error: 0 removes a constant; 2 also what a single echo cannot
        tell from receive phase. It is fitted to voxels without a wrap error.
    """
    error = field_ppm[region].astype(np.float64) - truth_ppm[region]
    error -= np.median(error)
    for _ in range(2):
        error -= _smooth_part(error, region, np.abs(error) < 0.5 * branch_ppm, order)
    return error


def field_errors(error_ppm: np.ndarray, branch_ppm: float) -> FieldErrors:
    """Summarise errors of :func:`errors_ppm`; one of more than half of ``branch_ppm`` is a wrap error."""
    size = np.abs(error_ppm)
    return FieldErrors(
        wrap_errors_percent=float(100 * np.mean(size > 0.5 * branch_ppm)),
        rms_ppb=_rms_ppb(error_ppm),
        p99_ppb=float(1e3 * np.percentile(size, 99)),
        robust_ppb=_robust_ppb(error_ppm),
        above_50ppb_percent=_above_percent(error_ppm),
    )


def part_errors(
    error_ppm: np.ndarray,
    brain: BoolArray,
    judged: BoolArray,
    chi_ppm: FloatArray,
    label: np.ndarray,
    voxel_size_mm: tuple[float, ...],
) -> tuple[PartErrors, ...]:
    """Summarise errors by depth below the brain's surface and by distance from strong sources and lesions in it.

    Parameters
    ----------
    error_ppm
        Errors of :func:`errors_ppm` in the judged voxels.
    brain, judged, chi_ppm, label
        ``(x, y, z)``; ``label`` has the constants of :mod:`recon.lab.simulation.head`.
    voxel_size_mm
        Edges of the voxels.
    """
    depth = ndimage.distance_transform_edt(brain, sampling=voxel_size_mm)[judged]
    parts = _bands("depth", depth, _DEPTHS_MM)
    sources = brain & ((np.abs(chi_ppm) > _STRONG_SOURCE_PPM) | np.isin(label, list(LESION_LABEL.values())))
    if sources.any():
        distance = ndimage.distance_transform_edt(~sources, sampling=voxel_size_mm)[judged]
        parts |= _bands("from sources", distance, _DISTANCES_MM)
    return tuple(
        PartErrors(
            part=name,
            share_percent=float(100 * inside.mean()),
            rms_ppb=_rms_ppb(error_ppm[inside]),
            robust_ppb=_robust_ppb(error_ppm[inside]),
            above_50ppb_percent=_above_percent(error_ppm[inside]),
        )
        for name, inside in parts.items()
        if inside.any()
    )


def within_two_noise_percent(error_ppm: np.ndarray, noise_ppm: np.ndarray) -> float:
    """Return the share of errors within two standard deviations of the estimated noise: 95 if that tells the truth."""
    return float(100 * np.mean(np.abs(error_ppm) <= 2 * noise_ppm))


def _bands(name: str, distance_mm: np.ndarray, limits_mm: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Return the voxels above one limit and up to the next, by name."""
    return {
        f"{name} > {low:g} mm" if math.isinf(high) else f"{name} {max(low, 0.0):g}-{high:g} mm": (
            (distance_mm > low) & (distance_mm <= high)
        )
        for low, high in itertools.pairwise(limits_mm)
    }


def _rms_ppb(error_ppm: np.ndarray) -> float:
    return float(1e3 * math.sqrt(np.mean(error_ppm**2)))


def _robust_ppb(error_ppm: np.ndarray) -> float:
    return float(1e3 * _ROBUST_SD * np.median(np.abs(error_ppm - np.median(error_ppm))))


def _above_percent(error_ppm: np.ndarray) -> float:
    return float(100 * np.mean(np.abs(error_ppm) > _LARGE_PPM))


def _smooth_part(error: np.ndarray, region: BoolArray, trusted: np.ndarray, order: int) -> np.ndarray:
    """Return the least-squares polynomial of an error given at the voxels of a region."""
    places = np.argwhere(region).astype(np.float64) / np.asarray(region.shape).max() - 0.5
    powers = [np.array(p) for p in itertools.product(range(order + 1), repeat=3) if sum(p) <= order]
    basis = np.stack([np.prod(places**p, axis=1) for p in powers], axis=1)
    normal = basis[trusted].T @ basis[trusted]
    part: np.ndarray = basis @ np.linalg.lstsq(normal, basis[trusted].T @ error[trusted], rcond=None)[0]
    return part
