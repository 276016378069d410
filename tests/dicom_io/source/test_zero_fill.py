"""Interpolation in plane, from the matrix that was acquired."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_io.source.zero_fill import zero_fill_note
from dicom_io.synthetic import write_scan
from tests.dicom_io.conftest import only_acquisition
from tests.support.phantom import SHAPE, change, make_echoes, put


@pytest.mark.parametrize(
    ("matrix", "said"),
    [([0, SHAPE[0] // 2, SHAPE[1], 0], "zero-filled"), ([SHAPE[0], 0, 0, SHAPE[1]], ""), (None, "")],
)
def test_zero_filling_in_plane_is_detected(matrix: list[int] | None, said: str, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)
    if matrix:
        change(tmp_path, put(AcquisitionMatrix=matrix, InPlanePhaseEncodingDirection="COL"))
    note = zero_fill_note(only_acquisition(tmp_path))
    if not said:
        assert note is None
        return
    assert note is not None
    assert said in note
    assert f"from {SHAPE[1]} x {SHAPE[0] // 2} to {SHAPE[1]} x {SHAPE[0]}" in note
    assert "0.9 x 1.5 mm" in note  # columns are 0.7 mm apart, and 11 were made of 5
