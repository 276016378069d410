"""Cylinders, open magnets and what the site states of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dicom_io.errors import Refusal
from dicom_io.source.acquisition.completeness import assess
from dicom_io.source.geometry import axes, b0_direction
from dicom_io.source.magnets import b0_in_patient
from dicom_io.source.read import image_grid
from dicom_io.synthetic import write_scan
from tests.dicom_io.conftest import only_acquisition
from tests.support.phantom import change, make_echoes
from tests.support.synthetic import read_header


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
def test_a_vertical_field_follows_the_position_of_the_patient(position: str, direction: object, tmp_path: Path) -> None:
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
def test_an_open_magnet_is_rejected_until_the_site_states_its_field(model: str, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="hitachi", study_seed=1)
    change(tmp_path, lambda dataset: setattr(dataset, "ManufacturerModelName", model))
    acquisition = only_acquisition(tmp_path)
    reason = assess(acquisition).reason
    assert reason is not None
    assert reason.code == "vertical-field"
    stated = replace(acquisition, headers=tuple(replace(h, b0_stated=(0.0, 1.0, 0.0)) for h in acquisition.headers))
    assert assess(stated).state == "complete"
