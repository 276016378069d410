"""One head, as every scanner sends it and in every orientation, gives one map.

The closed-form inversion (``tikhonov``) is used: unlike a network it knows no orientation but that of the field, so
that what is measured is reading and geometry. ``-s`` prints the table of differences.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from dicom_io.source.folder import find_acquisitions
from dicom_io.source.geometry import axes
from dicom_io.source.read import read_acquisition
from dicom_io.synthetic import SCANNERS, write_scan
from recon.operators.dipole import dipole_field
from recon.options import Options
from recon.pipeline import reconstruct
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho, Grid

OPTIONS = Options(method="tikhonov")
ECHO_TIMES_S = (0.006, 0.013)
B0_TESLA = 3.0
BRAIN_MM = (31.0, 36.0, 30.0)
SOURCES = (((8, 4, 2), 6.0, 0.25), ((-9, 5, -3), 7.0, -0.2), ((2, -12, 6), 6.0, 0.3), ((-4, -6, -9), 8.0, 0.15))
"""Centre in mm, width in mm, ppm."""

FINE = Grid(shape=(60, 60, 60), voxel_size_mm=(2.0, 2.0, 2.0), b0_direction=(0.0, 0.0, 1.0))
"""Patient axes."""


def chi_at(points_mm: np.ndarray) -> np.ndarray:
    """True susceptibility at points ``(3, ...)`` in the patient, ppm: smooth, so that resampling is no part of it."""
    chi = np.zeros(points_mm.shape[1:])
    for centre, width, ppm in SOURCES:
        distance2 = sum((points_mm[axis] - centre[axis]) ** 2 for axis in range(3))
        chi += ppm * np.exp(-distance2 / (2 * width**2))
    return chi


def inside(points_mm: np.ndarray, shrink_mm: float = 0.0) -> np.ndarray:
    """Whether points ``(3, ...)`` are in the brain."""
    return sum((points_mm[axis] / (BRAIN_MM[axis] - shrink_mm)) ** 2 for axis in range(3)) < 1


def voxels_mm(grid: Grid, directions: np.ndarray) -> np.ndarray:
    """Patient positions of all voxels ``(3, x, y, z)``; the middle of the volume is at the origin."""
    index = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in grid.shape), indexing="ij"))
    return np.einsum("pa,axyz->pxyz", directions, index * np.array(grid.voxel_size_mm)[:, None, None, None])


@pytest.fixture(scope="module")
def fine_field_ppm() -> np.ndarray:
    chi = chi_at(voxels_mm(FINE, np.eye(3))).astype(np.float32)
    return dipole_field(torch.from_numpy(chi), FINE).numpy()


def echoes_of(grid: Grid, directions: np.ndarray, field_ppm: np.ndarray) -> GradientEcho:
    """What a scanner measures of the head on a grid whose axes lie in the patient as given."""
    points = voxels_mm(grid, directions)
    places = points / 2.0 + (np.array(FINE.shape) - 1)[:, None, None, None] / 2
    field = map_coordinates(field_ppm, places, order=3, mode="nearest")
    brain, rng = inside(points), np.random.default_rng(1)
    hz = field * GAMMA_HZ_PER_TESLA * B0_TESLA * 1e-6
    noise = rng.uniform(-3, 3, grid.shape)
    phase = [np.where(brain, np.angle(np.exp(2j * np.pi * hz * t + 0.4j)), noise) for t in ECHO_TIMES_S]
    magnitude = [np.where(brain, 1000 * np.exp(-t / 0.04), 4.0) for t in ECHO_TIMES_S]
    return GradientEcho(
        magnitude=np.stack(magnitude).astype(np.float32),
        phase_rad=np.stack(phase).astype(np.float32),
        echo_times_s=ECHO_TIMES_S,
        b0_tesla=B0_TESLA,
        grid=grid,
    )


def chi_ppb(echoes: GradientEcho, mask: np.ndarray) -> np.ndarray:
    return 1e3 * reconstruct(echoes, options=OPTIONS, mask=mask).susceptibility.chi_ppm


def directions_of(folder: Path) -> np.ndarray:
    """Axes of the images in the patient, as columns."""
    (acquisition,) = find_acquisitions(folder).acquisitions
    return np.array(axes(acquisition.headers[0])).T


def small_grid(b0: tuple[float, float, float], size_mm: tuple[float, float, float] = (4.0, 4.0, 4.0)) -> Grid:
    length = float(np.linalg.norm(b0))
    x, y, z = (c / length for c in b0)
    shape = tuple(int(84 / size) for size in size_mm)
    return Grid(shape=(shape[0], shape[1], shape[2]), voxel_size_mm=size_mm, b0_direction=(x, y, z))


NAMED = [name for name in SCANNERS if name.count("-") == 0 or not name.startswith(("siemens-", "philips-", "ge-"))]
VARIANTS = ["siemens-xa", "siemens-complex-enhanced", "ge-polar-legacy", "philips-mapping-enhanced", "siemens-enhanced"]
VARIANTS += ["siemens-legacy", "ge-enhanced", "ge-legacy", "philips-enhanced", "philips-legacy", "philips-real"]


@pytest.fixture(scope="module")
def head(fine_field_ppm: np.ndarray, tmp_path_factory: pytest.TempPathFactory):
    """Echoes of an oblique scan with non-square pixels, the mask, and the map of the echoes themselves."""
    from dicom_io.synthetic.study import orientation

    grid = small_grid((0.2, -0.3, 0.9), (4.0, 3.5, 5.0))
    directions = orientation(grid.b0_direction)
    echoes = echoes_of(grid, directions, fine_field_ppm)
    mask = inside(voxels_mm(grid, directions), 2.0)
    return echoes, mask, chi_ppb(echoes, mask)


@pytest.mark.parametrize("name", [*NAMED, *VARIANTS])
def test_the_same_head_as_every_vendor_and_object_gives_the_same_map(name: str, head, tmp_path: Path) -> None:
    echoes, mask, expected = head
    write_scan(echoes, tmp_path, vendor=name, study_seed=1)
    (acquisition,) = find_acquisitions(tmp_path).acquisitions
    difference = chi_ppb(read_acquisition(acquisition), mask) - expected
    rms = float(np.sqrt(np.mean(difference[mask] ** 2)))
    print(f"\n{name:28s} {rms:.3f} ppb RMS of {np.std(expected[mask]):.1f} ppb")
    assert np.std(expected[mask]) > 15
    assert rms < 1.0


ORIENTATIONS = {
    "axial": (0, 0, 1),
    "sagittal": (1, 0, 0),
    "coronal": (0, -1, 0),
    "axial, feet upwards": (0, 0, -1),
    "tilted": (0, 0.5, 0.87),
    "oblique": (0.4, -0.3, 0.87),
    "steep": (-0.6, 0.5, 0.63),
    "between coronal and sagittal": (0.7, 0.7, -0.14),
}


@pytest.fixture(scope="module")
def axial(fine_field_ppm: np.ndarray):
    grid = small_grid((0, 0, 1))
    points = voxels_mm(grid, np.eye(3))
    return points, chi_ppb(echoes_of(grid, np.eye(3), fine_field_ppm), inside(points, 2.0))


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_the_same_head_in_every_orientation_gives_the_same_map(
    name: str, fine_field_ppm: np.ndarray, axial, tmp_path: Path
) -> None:
    from dicom_io.synthetic.study import orientation

    grid = small_grid(ORIENTATIONS[name])
    echoes = echoes_of(grid, orientation(grid.b0_direction), fine_field_ppm)
    write_scan(echoes, tmp_path, vendor="siemens-enhanced", study_seed=1)
    (acquisition,) = find_acquisitions(tmp_path).acquisitions
    directions, read = directions_of(tmp_path), read_acquisition(acquisition)
    chi = chi_ppb(read, inside(voxels_mm(read.grid, directions), 2.0))
    points, expected = axial
    places = np.einsum("pa,pxyz->axyz", directions, points) / 4.0 + (np.array(chi.shape) - 1)[:, None, None, None] / 2
    resampled = map_coordinates(chi, places, order=3)
    within = inside(points, 8.0)
    difference = (resampled - expected)[within]
    rms = float(np.sqrt(np.mean((difference - difference.mean()) ** 2)))
    print(f"\n{name:28s} {rms:.2f} ppb RMS, of {np.std(expected[within]):.1f} ppb")
    assert rms < 5.0
