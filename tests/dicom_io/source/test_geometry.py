"""Any orientation, position of the patient and magnet: the field's direction follows from the header alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_io.errors import Refusal
from dicom_io.source.acquisition.completeness import assess
from dicom_io.source.geometry import axes, b0_direction
from dicom_io.source.header import read_header
from dicom_io.source.magnets import b0_in_patient
from dicom_io.source.read import image_grid, read_acquisition
from dicom_io.source.zero_fill import zero_fill_note
from dicom_io.synthetic import write_scan
from tests.dicom_io.conftest import only_acquisition
from tests.support.phantom import SHAPE, VOXEL_SIZE_MM, change, make_echoes

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


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP", "HFDR", "HFDL", "FFDR", "FFDL"])
def test_in_a_cylinder_the_field_is_along_patient_z_in_every_position(position: str, tmp_path: Path) -> None:
    path = write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)[0]
    header = replace(read_header(path), patient_position=position)
    row, column, normal = axes(header)
    assert b0_direction(header) == pytest.approx((row[2], column[2], normal[2]))


@pytest.mark.parametrize(
    ("position", "direction"),
    [("HFS", (0, 1, 0)), ("FFP", (0, 1, 0)), ("HFDL", (1, 0, 0)), ("FFDR", (1, 0, 0)), ("", None), ("SITTING", None)],
)
def test_a_vertical_field_follows_how_the_patient_lies(position: str, direction: object, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="hitachi", study_seed=1)
    acquisition = only_acquisition(tmp_path)
    headers = tuple(replace(h, b0_stated="vertical", patient_position=position) for h in acquisition.headers)
    acquisition = replace(acquisition, headers=headers)
    answer = assess(acquisition)
    if direction is None:
        assert answer.reason is not None
        assert answer.reason.code == "no-patient-position"
        with pytest.raises(Refusal):
            b0_in_patient(headers[0])
        return
    assert answer.state == "complete"
    row, column, normal = axes(headers[0])
    expected = [float(np.dot(axis, direction)) for axis in (row, column, normal)]  # type: ignore[arg-type]
    assert image_grid(acquisition.slices, headers[0]).b0_direction == pytest.approx(expected)


@pytest.mark.parametrize("model", ["AIRIS Vento", "OASIS", "Aperto"])
def test_an_open_magnet_is_refused_until_the_site_says_how_its_field_lies(model: str, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="hitachi", study_seed=1)
    change(tmp_path, lambda dataset: setattr(dataset, "ManufacturerModelName", model))
    acquisition = only_acquisition(tmp_path)
    reason = assess(acquisition).reason
    assert reason is not None
    assert reason.code == "vertical-field"
    told = replace(acquisition, headers=tuple(replace(h, b0_stated=(0.0, 1.0, 0.0)) for h in acquisition.headers))
    assert assess(told).state == "complete"


def test_gaps_between_slices_are_part_of_their_distance(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)
    change(tmp_path, lambda d: (setattr(d, "SliceThickness", "1.0"), setattr(d, "SpacingBetweenSlices", "1.3")))
    assert read_acquisition(only_acquisition(tmp_path)).grid.voxel_size_mm[2] == pytest.approx(1.3, abs=1e-4)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [([0, SHAPE[0] // 2, SHAPE[1], 0], "zero-filled"), ([SHAPE[1], 0, 0, SHAPE[0]], ""), (None, "")],
)
def test_zero_filling_in_plane_is_detected(matrix: list[int] | None, said: str, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)
    if matrix:
        change(tmp_path, lambda dataset: setattr(dataset, "AcquisitionMatrix", matrix))
    note = zero_fill_note(only_acquisition(tmp_path))
    if not said:
        assert note is None
        return
    assert note is not None
    assert said in note
    assert f"from {SHAPE[1]} x {SHAPE[0] // 2} to {SHAPE[1]} x {SHAPE[0]}" in note
    assert "0.9 x 1.5 mm" in note  # columns are 0.7 mm apart, and 11 were made of 5
