"""What derived objects take from sources that say too little, too much, or contradict each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pydicom.config
import pytest
from pydicom.dataset import Dataset

from dicom_io.derived.context.source import patient_age_years
from dicom_io.derived.context.source_series import SourceSeries
from dicom_io.errors import Refusal
from dicom_io.source.tolerance import tolerant
from dicom_io.synthetic import write_scan
from tests.dicom_io.conftest import only_acquisition
from tests.support.everything import CREATED, write_everything
from tests.support.phantom import change, make_echoes
from tests.support.validators import verify

TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
    "PositionReferenceIndicator",
    "SliceThickness",
    "SpacingBetweenSlices",
    "RepetitionTime",
    "EchoTrainLength",
    "ScanOptions",
    "MRAcquisitionType",
    "FrameOfReferenceUID",
    "BodyPartExamined",
    "Laterality",
    "PatientPosition",
    "SequenceVariant",
)


def drop(*keywords: str) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        for keyword in keywords:
            if keyword in dataset:
                delattr(dataset, keyword)

    return edit


def test_a_source_that_says_nothing_more_than_it_must_gives_valid_objects(tmp_path: Path) -> None:
    """Type 2 is written empty; type 1 follows from what the reader took the images for."""
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    change(tmp_path / "scan", drop(*TYPE_2))
    written = write_everything(only_acquisition(tmp_path / "scan"), tmp_path / "out")
    for name, series in written.items():
        assert [line for line in verify("dciodvfy", series.paths[:1]) if line.startswith("Error")] == [], name
    images = [pydicom.dcmread(series.paths[0]) for series in written.values()]
    assert {str(image.PatientName) for image in images} == {""}
    assert len({image.FrameOfReferenceUID for image in images if "FrameOfReferenceUID" in image}) == 1


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "StudyID"])
def test_echoes_of_two_patients_are_refused(keyword: str, tmp_path: Path) -> None:
    """A worklist mistake that was corrected at the scanner between magnitude and phase."""
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    change(tmp_path / "scan", lambda d: setattr(d, keyword, "20000101"), only="P")
    with pytest.raises(Refusal) as refusal:
        SourceSeries.of(only_acquisition(tmp_path / "scan"), created=CREATED)
    assert refusal.value.code == "identity-differs"
    assert keyword in str(refusal.value)
    assert "20000101" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "scan"]


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 192", "Müller-Lüdenscheidt^Heinz-Günther=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 192", "A" * 64 + "^" + "B" * 64),
    ],
)
def test_names_of_any_length_and_alphabet_stay_as_they_are_encoded(
    character_set: str | list[str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scan(make_echoes(), tmp_path / "scan", vendor="ge", study_seed=1)

    def rename(dataset: Dataset) -> None:
        dataset.SpecificCharacterSet = character_set
        dataset.PatientName = name
        dataset.PatientID = "x" * 70

    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    with tolerant():
        change(tmp_path / "scan", rename)
    monkeypatch.undo()
    acquisition = only_acquisition(tmp_path / "scan")
    source = pydicom.dcmread(acquisition.headers[0].path)
    expected = {tag: source.get_item(tag).value for tag in (0x00080005, 0x00100010, 0x00100020)}
    written = write_everything(acquisition, tmp_path / "out")
    for series in written.values():
        derived = pydicom.dcmread(series.paths[0])
        assert {tag: derived.get_item(tag).value for tag in expected} == expected
        assert "Heinz" not in series.paths[0].name


@pytest.mark.parametrize(
    ("text", "years"),
    [("045Y", 45), ("018M", 1.5), ("026W", 0.4983), ("000D", 0), ("", None), ("45", None), ("old", None)],
)
def test_the_age_is_read_in_years(text: str, years: float | None) -> None:
    source = Dataset()
    source.add_new("PatientAge", "LO", text)
    assert patient_age_years(source) == (None if years is None else pytest.approx(years, abs=1e-3))


def test_two_runs_write_the_same_bytes(scans: dict[str, Path], tmp_path: Path) -> None:
    """Whatever a library makes up - UIDs, times - is replaced; a retry sends the same objects."""
    for vendor in ("siemens", "ge", "philips-enhanced"):
        first = write_everything(only_acquisition(scans[vendor]), tmp_path / vendor / "a")
        second = write_everything(only_acquisition(scans[vendor]), tmp_path / vendor / "b")
        for name, series in first.items():
            assert [p.read_bytes() for p in series.paths] == [p.read_bytes() for p in second[name].paths], name


def test_no_object_bears_the_mark_of_a_library(scans: dict[str, Path], tmp_path: Path) -> None:
    for series in write_everything(only_acquisition(scans["ge"]), tmp_path / "out").values():
        image = pydicom.dcmread(series.paths[0])
        assert image.Manufacturer == "QSM plugin"
        assert b"highdicom" not in series.paths[0].read_bytes().lower()
        assert image.SeriesDescription.endswith("RESEARCH")
        assert image.InstanceCreatorUID
