"""Signals and maps on grids where no two axes can be mixed up, and ways to damage a scan."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from recon.field.reliability import total_field_of
from recon.types import GradientEcho, Grid, Provenance, Reconstruction, SusceptibilityMap, Verdict

SHAPE = (11, 8, 6)
VOXEL_SIZE_MM = (0.7, 0.9, 1.3)
ECHO_TIMES_S = (0.004, 0.0123, 0.0211)
OBLIQUE = (0.2, -0.35, 0.9)


def make_grid(b0_direction: tuple[float, float, float] = OBLIQUE, shape: tuple[int, int, int] = SHAPE) -> Grid:
    length = math.sqrt(sum(c * c for c in b0_direction))
    x, y, z = (c / length for c in b0_direction)
    return Grid(shape=shape, voxel_size_mm=VOXEL_SIZE_MM, b0_direction=(x, y, z))


def make_echoes(
    b0_direction: tuple[float, float, float] = OBLIQUE,
    echo_times_s: tuple[float, ...] = ECHO_TIMES_S,
    b0_tesla: float = 2.8936,
    shape: tuple[int, int, int] = SHAPE,
) -> GradientEcho:
    """A bright middle, a field that wraps, an offset that differs along every axis."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius2 = x**2 + 1.3 * y**2 + 0.8 * z**2
    field_hz = 40 * np.exp(-2 * radius2) + 15 * x - 8 * y
    offset_rad = 0.7 * y + 0.4 * x - 0.3 * z + 0.2
    turns = [2 * np.pi * field_hz * te + offset_rad for te in echo_times_s]
    bright = 0.2 + np.exp(-2 * radius2)
    return GradientEcho(
        magnitude=np.stack([321 * bright * np.exp(-te * 30) for te in echo_times_s]).astype(np.float32),
        phase_rad=np.stack([np.angle(np.exp(1j * turn)) for turn in turns]).astype(np.float32),
        echo_times_s=echo_times_s,
        b0_tesla=b0_tesla,
        grid=make_grid(b0_direction, shape),
    )


def make_reconstruction(
    grid: Grid, *, warnings: tuple[str, ...] = (), weights_sha256: str = "ab" * 32
) -> Reconstruction:
    """A map that no flip or exchange of axes leaves unchanged, ±250 ppb, zero at the rim."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in grid.shape), indexing="ij")
    mask = x**2 + y**2 + z**2 < 1.6
    chi_ppm = np.where(mask, 0.25 * np.sin(3 * x + 1.7 * y * z + 0.4 * z), 0).astype(np.float32)
    zero = np.zeros(grid.shape, np.float32)
    return Reconstruction(
        susceptibility=SusceptibilityMap(chi_ppm=chi_ppm, mask=mask, reference="whole-brain mean", grid=grid),
        total_field=total_field_of(zero, zero, mask, grid),
        figures={"data_residual_rms_ppb": 12.34, "streak_energy_ratio": 0.41},
        verdict=Verdict(level="ok"),
        warnings=warnings,
        seconds={"invert": 1.0},
        provenance=Provenance(
            software="qsm-plugin test",
            method="network",
            engine="torch float32",
            weights_sha256=weights_sha256,
            parameters={"lambda": 0.004, "radii_mm": "12-1"},
            versions={"numpy": "2"},
            references=("10.1002/mrm.30006",),
        ),
    )


def put(**values: object) -> Callable[[Dataset], None]:
    """Make an edit that sets elements."""

    def edit(dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return edit


def change(folder: Path, edit: Callable[[Dataset], object], only: str = "", count: int | None = None) -> None:
    """Edit images of a scan: those whose ImageType holds ``only``, at most ``count`` of them."""
    changed = 0
    for path in sorted(folder.glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        if (not only or only in dataset.ImageType) and (count is None or changed < count):
            edit(dataset)
            dataset.save_as(path)
            changed += 1
    assert changed, "no image was changed"


def wrapped(phase_rad: np.ndarray) -> np.ndarray:
    return np.angle(np.exp(1j * phase_rad))
