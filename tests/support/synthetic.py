"""Small acquisitions as scanners write them, which can be reconstructed, and their headers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dicom_io.source.header import ImageHeader, read_headers
from dicom_io.synthetic import write_scan
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho, Grid


def small_echoes(*, echoes: int = 2, seed: int = 0) -> GradientEcho:
    """Make a ball with a few sources and the smooth field of a head: non-cubic, anisotropic, oblique."""
    shape = (40, 36, 28)
    direction = np.array([0.1, -0.2, 0.97])
    grid = Grid(
        shape=shape,
        voxel_size_mm=(4.0, 4.5, 5.0),
        b0_direction=tuple(float(c) for c in direction / np.linalg.norm(direction)),
    )
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = x**2 + y**2 + z**2 < 0.75
    rng = np.random.default_rng(seed)
    smooth = 0.8 * (x**4 + y**4 + z**4 - 3 * (x**2 * y**2 + y**2 * z**2 + z**2 * x**2))
    field_ppm = np.where(inside, smooth + 0.05 * x * z + 0.03 * np.sin(5 * y), 0.0)
    times = tuple(0.005 * (n + 1) for n in range(echoes))
    magnitude = [np.where(inside, 1000 * np.exp(-t / 0.04), 5.0) + rng.normal(0, 2, shape) for t in times]
    phase = [2 * np.pi * GAMMA_HZ_PER_TESLA * 3.0 * field_ppm * 1e-6 * t for t in times]
    phase = [np.angle(np.exp(1j * np.where(inside, p, rng.uniform(-3, 3, shape)))) for p in phase]
    return GradientEcho(
        magnitude=np.abs(np.stack(magnitude)).astype(np.float32),
        phase_rad=np.stack(phase).astype(np.float32),
        echo_times_s=times,
        b0_tesla=3.0,
        grid=grid,
    )


def write_small_scan(
    folder: Path, *, vendor: str = "siemens", seed: int = 1, name: str = "PLANTED^NAME"
) -> tuple[Path, ...]:
    """Write a small acquisition as a vendor's scanner does, in the order in which it would be sent."""
    return write_scan(small_echoes(seed=seed), folder, vendor=vendor, study_seed=seed, patient_name=name)


def read_header(path: Path) -> ImageHeader:
    """Read the header of a classic image."""
    (header,) = read_headers(path)
    return header
