"""In any orientation, B0 direction and places of slices follow from the header alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_io.source.geometry import axes, b0_direction, cross, dot, position_mm
from dicom_io.source.header import ImageHeader
from dicom_io.source.read import read_acquisition
from dicom_io.synthetic import write_scan
from tests.dicom_io.conftest import only_acquisition
from tests.support.phantom import SHAPE, VOXEL_SIZE_MM, change, make_echoes
from tests.support.synthetic import read_header

ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "axial, feet upwards": (1, 0, 0, 0, -1, 0),
    "tilted": (1, 0, 0, 0, math.cos(0.4), math.sin(0.4)),
    "tilted twice": (0.9, 0.3, math.sqrt(1 - 0.9), -0.3 / math.hypot(0.9, 0.3), 0.9 / math.hypot(0.9, 0.3), 0),
    "coronal, turned in plane": (math.cos(0.7), 0, math.sin(0.7), math.sin(0.7), 0, -math.cos(0.7)),
    "sagittal, mirrored": (0, -1, 0, 0, 0, -1),
}


@pytest.fixture(scope="module")
def header(scans: dict[str, Path]) -> ImageHeader:
    return read_header(sorted(scans["siemens"].glob("*.dcm"))[0])


def turned(orientation: tuple[float, ...], flip: bool = False) -> Callable[[Dataset], None]:
    """Give every image an orientation, and a position by its slice, which may count downwards along the normal."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    normal = np.cross(row, column)

    def edit(dataset: Dataset) -> None:
        index = (dataset.InstanceNumber - 1) % SHAPE[2]
        along = -index if flip else index
        dataset.ImageOrientationPatient = [f"{c:.12f}"[:16] for c in orientation]
        dataset.ImagePositionPatient = [
            f"{c:.11f}"[:16] for c in 7 * row - 3 * column + VOXEL_SIZE_MM[2] * along * normal
        ]

    return edit


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("flip", [False, True])
def test_the_field_and_the_volume_in_every_orientation(name: str, flip: bool, tmp_path: Path) -> None:
    echoes = make_echoes(echo_times_s=(0.005,))
    write_scan(echoes, tmp_path, vendor="siemens", study_seed=1)
    change(tmp_path, turned(ORIENTATIONS[name], flip))
    read = read_acquisition(only_acquisition(tmp_path))
    row, column = np.array(ORIENTATIONS[name][:3]), np.array(ORIENTATIONS[name][3:])
    expected = (row[2], column[2], np.cross(row, column)[2])
    assert read.grid.b0_direction == pytest.approx(expected, abs=1e-8)
    assert read.grid.voxel_size_mm == pytest.approx(VOXEL_SIZE_MM, abs=1e-4)
    order = slice(None, None, -1) if flip else slice(None)
    scale = float(echoes.magnitude.max() / read.magnitude.max())
    np.testing.assert_allclose(read.magnitude[..., order] * scale, echoes.magnitude, atol=0.2)


def test_gaps_between_slices_are_part_of_their_distance(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)
    change(tmp_path, lambda d: (setattr(d, "SliceThickness", "1.0"), setattr(d, "SpacingBetweenSlices", "1.3")))
    assert read_acquisition(only_acquisition(tmp_path)).grid.voxel_size_mm[2] == pytest.approx(1.3, abs=1e-4)


def test_axes_are_a_right_handed_frame(header: ImageHeader) -> None:
    row, column, normal = axes(header)
    assert dot(row, column) == pytest.approx(0, abs=1e-12)
    assert dot(cross(row, column), normal) == pytest.approx(1)


def test_the_field_direction_is_not_scaled_by_the_voxel_size(header: ImageHeader) -> None:
    stretched = dataclasses.replace(header, pixel_spacing_mm=(0.5, 5.0))
    assert b0_direction(stretched) == b0_direction(header)
    assert math.hypot(*b0_direction(header)) == pytest.approx(1)


def test_sagittal_and_coronal_slices(header: ImageHeader) -> None:
    sagittal = dataclasses.replace(header, image_orientation=(0, 1, 0, 0, 0, -1))
    assert b0_direction(sagittal) == pytest.approx((0, -1, 0))
    coronal = dataclasses.replace(header, image_orientation=(1, 0, 0, 0, 0, -1))
    assert b0_direction(coronal) == pytest.approx((0, -1, 0))
    assert axes(sagittal)[2] == pytest.approx((-1, 0, 0))


def test_positions_split_into_slice_and_plane(header: ImageHeader) -> None:
    row, column, normal = axes(header)
    moved_to = tuple(1.5 * r - 2.5 * c + 7.0 * n for r, c, n in zip(row, column, normal, strict=True))
    moved = dataclasses.replace(header, image_position_mm=moved_to)
    assert position_mm(moved) == pytest.approx((1.5, -2.5, 7.0))
