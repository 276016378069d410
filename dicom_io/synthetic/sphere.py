"""A phantom with an exact answer: a sphere of known susceptibility in a uniform ball, with its analytic field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from recon.types import GAMMA_HZ_PER_TESLA, FloatArray, GradientEcho, Grid

GRID: Final = Grid(shape=(64, 60, 48), voxel_size_mm=(3.0, 3.2, 3.4), b0_direction=(0.0, 0.0, 1.0))
CHI_PPM: Final = 0.3
"""Susceptibility of the sphere against the ball."""

_TIMES_S: Final = (0.006, 0.012, 0.018, 0.024)
_TESLA: Final = 3.0
_T2_STAR_S: Final = 0.05
_BALL_MM: Final = 72.0
_SPHERE_MM: Final = 16.0
_CENTRE_MM: Final = (6.0, -8.0, 4.0)
_SHELL_MM: Final = (26.0, 50.0)
"""Between these distances from the sphere's centre lies what it is compared with."""


@dataclass(frozen=True, kw_only=True)
class SphereResult:
    """What a map says of the sphere: its mean against its surroundings, and what it should be; both in ppb."""

    measured_ppb: float
    expected_ppb: float
    voxels: int


def sphere_echoes(seed: int = 0) -> GradientEcho:
    """Make the signal of the phantom, with a little noise.

    Outside the sphere its field is χ/3 (a/r)³ (3 cos²θ - 1), inside it is zero: the Lorentz sphere is subtracted. A
    harmonic field lies over it, as sources outside a head make it, which background field removal takes away.
    """
    axes = _axes_mm()
    distance = _from_centre_mm(axes)
    cosine = (axes[2] - _CENTRE_MM[2]) / np.maximum(distance, 1e-6)
    outside = CHI_PPM / 3 * (_SPHERE_MM / np.maximum(distance, _SPHERE_MM)) ** 3 * (3 * cosine**2 - 1)
    field_ppm = np.where(distance > _SPHERE_MM, outside, 0.0) + _background_ppm(axes)
    ball = np.sqrt(axes[0] ** 2 + axes[1] ** 2 + axes[2] ** 2) < _BALL_MM
    rng = np.random.default_rng(seed)
    turns = 2 * math.pi * GAMMA_HZ_PER_TESLA * _TESLA * 1e-6
    signal = np.stack([1000 * ball * np.exp(1j * turns * t * field_ppm - t / _T2_STAR_S) for t in _TIMES_S])
    signal = signal + rng.normal(0, 4, signal.shape) + 1j * rng.normal(0, 4, signal.shape)
    return GradientEcho(
        magnitude=np.abs(signal).astype(np.float32),
        phase_rad=np.angle(signal).astype(np.float32),
        echo_times_s=_TIMES_S,
        b0_tesla=_TESLA,
        grid=GRID,
    )


def _background_ppm(axes: Sequence[FloatArray]) -> FloatArray:
    x, y, z = (axis / _BALL_MM for axis in axes)
    background: FloatArray = 0.8 * (z**2 - (x**2 + y**2) / 2) + 0.5 * x * z + 0.4 * y * (y**2 - 3 * x**2)
    return background


def measure_sphere(images: Sequence[Dataset]) -> SphereResult:
    """Measure the sphere in the images of a map of the phantom, in any order; their values are ppb."""
    chi_ppb = _volume(images)
    distance = _from_centre_mm(_axes_mm())
    inner = distance < 0.7 * _SPHERE_MM
    shell = (distance > _SHELL_MM[0]) & (distance < _SHELL_MM[1])
    return SphereResult(
        measured_ppb=float(chi_ppb[inner].mean() - chi_ppb[shell].mean()),
        expected_ppb=1000 * CHI_PPM,
        voxels=int(inner.sum()),
    )


def _volume(images: Sequence[Dataset]) -> FloatArray:
    row, column = np.array(images[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    normal = np.cross(row, column)
    ordered = sorted(images, key=lambda image: float(np.dot(normal, np.array(image.ImagePositionPatient, dtype=float))))
    slices = [image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept) for image in ordered]
    volume: FloatArray = np.stack(slices).astype(np.float32).transpose(2, 1, 0)
    return volume


def _axes_mm() -> list[FloatArray]:
    sizes = zip(GRID.shape, GRID.voxel_size_mm, strict=True)
    return list(np.meshgrid(*((np.arange(n) - (n - 1) / 2) * size for n, size in sizes), indexing="ij"))


def _from_centre_mm(axes: Sequence[FloatArray]) -> FloatArray:
    distance: FloatArray = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(axes, _CENTRE_MM, strict=True)))
    return distance
