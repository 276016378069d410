"""The QSM series: values, geometry and identity as other software reads them."""

from __future__ import annotations

import dataclasses
import stat
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicom_io.derived.context.source import source_datasets
from dicom_io.derived.context.source_series import Sources, SourceSeries
from dicom_io.derived.pixel_profile import PROFILES
from dicom_io.errors import DicomError, Refusal
from dicom_io.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.read import read_acquisition
from dicom_io.synthetic import write_scan
from recon.types import Reconstruction
from tests.dicom_io.conftest import only_acquisition
from tests.support.everything import write as write_product
from tests.support.phantom import change, make_echoes, make_reconstruction
from tests.support.synthetic import read_header
from tests.support.validators import verify

CREATED = datetime(2025, 3, 4, 5, 6, 7)
VENDORS = ("siemens", "ge", "philips", "siemens-enhanced", "philips-enhanced")
COPIED = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SliceLocation",
    "MagneticFieldStrength",
    "ImagingFrequency",
    "SpecificCharacterSet",
]


def series_of(
    folder: Path, out: Path, profile: str = "console12", **settings: object
) -> tuple[tuple[Path, ...], Reconstruction, Acquisition]:
    acquisition = only_acquisition(folder)
    reconstruction = make_reconstruction(read_acquisition(acquisition).grid)
    return write(reconstruction, acquisition, out, profile=profile, **settings), reconstruction, acquisition  # type: ignore[arg-type]


def write(
    reconstruction: Reconstruction,
    acquisition: Acquisition,
    folder: Path,
    *,
    created: datetime = CREATED,
    revision: int = 1,
    **stored: Any,
) -> tuple[Path, ...]:
    series = SourceSeries.of(acquisition, created=created, revision=revision)
    (written,) = write_product("qsm", None, Sources(reconstruction=reconstruction, series=series, **stored), folder)
    return written.paths


def values_of(paths: tuple[Path, ...]) -> np.ndarray:
    """Rescaled values ``(x, y, z)``, slices in the order of their position."""
    images = sorted((pydicom.dcmread(path) for path in paths), key=_along_normal)
    planes = [image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept) for image in images]
    return np.stack(planes, axis=-1).transpose(1, 0, 2)


def _along_normal(image: pydicom.Dataset) -> float:
    row, column = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
    return float(np.cross(row, column) @ np.array(image.ImagePositionPatient, float))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("vendor", VENDORS)
def test_values_survive_within_half_a_step(vendor: str, profile: str, scans: dict[str, Path], tmp_path: Path) -> None:
    paths, reconstruction, _ = series_of(scans[vendor], tmp_path / "qsm", profile)
    expected_ppb = 1000 * reconstruction.susceptibility.chi_ppm
    assert np.abs(values_of(paths) - expected_ppb).max() <= 0.5 * PROFILES[profile].step + 1e-4


@pytest.mark.parametrize("vendor", VENDORS)
def test_geometry_and_identity_are_the_source_bytes(vendor: str, scans: dict[str, Path], tmp_path: Path) -> None:
    paths, _, acquisition = series_of(scans[vendor], tmp_path / "qsm")
    headers = {(header.sop_instance_uid, header.frame): header for header in acquisition.headers}
    for path in paths:
        derived = pydicom.dcmread(path)
        (source,) = source_datasets([headers[_reference(derived.SourceImageSequence[0])]])
        for keyword in COPIED:
            tag = pydicom.datadict.tag_for_keyword(keyword)
            expected = source.get_item(tag)
            if expected is not None and isinstance(expected.value, bytes):  # else made from a number
                assert derived.get_item(tag).value == expected.value, keyword
        assert derived.ImagePositionPatient
        assert derived.PatientName


def _reference(item: pydicom.Dataset) -> tuple[str, int]:
    return item.ReferencedSOPInstanceUID, int(item.get("ReferencedFrameNumber", 1)) - 1


def test_odd_decimal_strings_are_copied_as_they_are(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    change(tmp_path / "scan", lambda d: setattr(d, "PixelSpacing", ["0.90", "7.0e-1"]))
    paths, _, _ = series_of(tmp_path / "scan", tmp_path / "qsm")
    assert pydicom.dcmread(paths[0]).get_item(0x00280030).value == b"0.90\\7.0e-1 "


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_private_element_is_taken_over(vendor: str, scans: dict[str, Path], tmp_path: Path) -> None:
    paths, _, _ = series_of(scans[vendor], tmp_path / "qsm")
    for path in paths:
        assert not [element.tag for element in pydicom.dcmread(path) if element.tag.is_private]


def test_dciodvfy_finds_no_error_in_series_of_a_real_scan(real_data: Path, tmp_path: Path) -> None:
    paths, _, _ = series_of(real_data / "philips_brain_classic", tmp_path / "qsm")
    assert len(paths) == 53
    for path in paths[::13]:
        report = verify("dciodvfy", [path])
        assert any("MRImage" in line for line in report)
        assert [line for line in report if "Error" in line] == []


def test_the_real_world_value_mapping_states_scale_unit_and_quantity(scans: dict[str, Path], tmp_path: Path) -> None:
    """For readers that apply the mapping to stored values."""
    paths, reconstruction, _ = series_of(scans["siemens"], tmp_path / "qsm", "pacs16")
    image = pydicom.dcmread(paths[0])
    mapping = image.RealWorldValueMappingSequence[0]
    values_ppb = image.pixel_array * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
    assert np.abs(values_ppb - 1000 * reconstruction.susceptibility.chi_ppm[..., 0].T).max() <= 0.0501
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "[ppb]"
    quantity = mapping.QuantityDefinitionSequence[0]
    assert quantity.ConceptCodeSequence[0].CodeValue == "126396"
    assert (mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped) == (0, 65535)


def test_our_own_output_is_refused(scans: dict[str, Path], tmp_path: Path) -> None:
    paths, _, _ = series_of(scans["ge"], tmp_path / "qsm")
    with pytest.raises(Refusal) as refusal:
        read_header(paths[0])
    assert refusal.value.code == "own-output"


def test_identifiers_follow_from_source_weights_parameters_profile_and_revision(
    scans: dict[str, Path], tmp_path: Path
) -> None:
    acquisition = only_acquisition(scans["ge"])
    base = make_reconstruction(read_acquisition(acquisition).grid)
    other_parameters = dataclasses.replace(base.provenance, parameters={"lambda": 0.03})
    runs = {
        "base": (base, {}),
        "weights": (make_reconstruction(base.susceptibility.grid, weights_sha256="cd" * 32), {}),
        "parameters": (dataclasses.replace(base, provenance=other_parameters), {}),
        "profile": (base, {"profile": "pacs16"}),
        "revision": (base, {"revision": 2}),
    }
    uids = set()
    for name, (reconstruction, settings) in runs.items():
        paths = write(reconstruction, acquisition, tmp_path / name, **settings)
        images = [pydicom.dcmread(path) for path in paths]
        assert len({image.SOPInstanceUID for image in images}) == len(images)
        uids.add(images[0].SeriesInstanceUID)
    assert len(uids) == len(runs)


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_image_names_its_sources(vendor: str, scans: dict[str, Path], tmp_path: Path) -> None:
    paths, _, acquisition = series_of(scans[vendor], tmp_path / "qsm")
    headers = {(header.sop_instance_uid, header.frame): header for header in acquisition.headers}
    for path in paths:
        image = pydicom.dcmread(path)
        used = [headers[_reference(item)] for item in image.SourceImageSequence]
        assert len({(header.echo_time_s, header.component) for header in used}) == len(used)
        assert len(used) == len(headers) // len(paths)
        assert {tuple(map(float, image.ImagePositionPatient))} == {h.image_position_mm for h in used}
        series = {item.SeriesInstanceUID for item in image.ReferencedSeriesSequence}
        assert series == set(acquisition.series_instance_uids)


def test_images_are_in_the_order_of_the_source(tmp_path: Path) -> None:
    """A scanner that numbers slices downwards gets a series that is numbered downwards."""
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    change(tmp_path / "scan", lambda d: setattr(d, "InstanceNumber", 1000 - d.InstanceNumber))
    paths, reconstruction, _ = series_of(tmp_path / "scan", tmp_path / "qsm")
    images = [pydicom.dcmread(path) for path in paths]
    assert [image.InstanceNumber for image in images] == list(range(1, len(images) + 1))
    assert [_along_normal(i) for i in images] == sorted((_along_normal(i) for i in images), reverse=True)
    assert np.abs(values_of(paths) - 1000 * reconstruction.susceptibility.chi_ppm).max() <= 0.501


def test_one_window_in_ppb_for_the_whole_series(scans: dict[str, Path], tmp_path: Path) -> None:
    paths, _, _ = series_of(scans["siemens"], tmp_path / "qsm")
    images = [pydicom.dcmread(path) for path in paths]
    assert {(tuple(i.WindowCenter), tuple(i.WindowWidth)) for i in images} == {((0, 0), (400, 2000))}
    assert {tuple(i.WindowCenterWidthExplanation) for i in images} == {("Tissue", "Haemorrhage")}
    assert {tuple(i.ImageType) for i in images} == {("DERIVED", "PRIMARY", "OTHER", "QSM")}
    assert {(i.SeriesNumber, i.SeriesDescription) for i in images} == {(501, "QSM chi ppb [S5] RESEARCH")}
    assert {(i.BitsStored, i.HighBit, i.PixelRepresentation) for i in images} == {(12, 11, 0)}


def test_viewers_that_cannot_read_two_windows_get_one(scans: dict[str, Path], tmp_path: Path) -> None:
    """Orthanc's Web Viewer 2.8 is one: given two, it takes a window of its own for each slice."""
    acquisition = only_acquisition(scans["siemens"])
    result = make_reconstruction(read_acquisition(acquisition).grid)
    two = pydicom.dcmread(write(result, acquisition, tmp_path / "two")[0])
    one = pydicom.dcmread(write(result, acquisition, tmp_path / "one", window_presets=False)[0])
    assert (one.WindowCenter, one.WindowWidth, one.WindowCenterWidthExplanation) == (0, 400, "Tissue")
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.PixelData == two.PixelData


def test_a_map_of_another_shape_is_not_written(scans: dict[str, Path], tmp_path: Path) -> None:
    reconstruction = make_reconstruction(make_echoes(shape=(8, 11, 6)).grid)
    with pytest.raises(DicomError, match="shape"):
        write(reconstruction, only_acquisition(scans["siemens"]), tmp_path / "qsm")


def test_files_are_for_their_owner_and_named_without_patient_data(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path / "scan", vendor="ge", study_seed=2, patient_name="Doe^Jane")
    paths, _, _ = series_of(tmp_path / "scan", tmp_path / "out" / "qsm")
    assert stat.S_IMODE((tmp_path / "out" / "qsm").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert [path.name for path in paths] == [f"{n:05d}.dcm" for n in range(1, len(paths) + 1)]
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["qsm"]


def test_an_earlier_series_is_replaced_and_other_files_are_left_alone(scans: dict[str, Path], tmp_path: Path) -> None:
    series_of(scans["ge"], tmp_path / "qsm")
    paths, _, _ = series_of(scans["ge"], tmp_path / "qsm", "pacs16")
    assert pydicom.dcmread(paths[0]).BitsStored == 16
    assert [entry.name for entry in tmp_path.iterdir()] == ["qsm"]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.txt").write_text("mine")
    with pytest.raises(DicomError, match="other files"):
        series_of(scans["ge"], tmp_path / "notes")
    assert (tmp_path / "notes" / "thesis.txt").read_text() == "mine"


def test_how_it_was_made_travels_with_it(scans: dict[str, Path], tmp_path: Path) -> None:
    acquisition = only_acquisition(scans["siemens"])
    grid = read_acquisition(acquisition).grid
    reconstruction = make_reconstruction(grid, warnings=("χ is low – check the mask.", "x" * 2000))
    image = pydicom.dcmread(write(reconstruction, acquisition, tmp_path / "q")[0])
    for text in ("research", "whole-brain mean", "ab" * 32, "network", "4, 12.3, 21.1 ms", "chi is low - check"):
        assert text in image.DerivationDescription
    assert len(image.DerivationDescription) <= 1024
    assert "x" * 2000 in image.ImageComments
    for name, value in reconstruction.figures.items():
        assert f"{name} {value:.4g}" in image.ImageComments
    assert reconstruction.figures
    assert "10.1002/mrm.30006" in image.ImageComments
    scanner, software = image.ContributingEquipmentSequence
    assert (scanner.Manufacturer, scanner.ManufacturerModelName) == ("SIEMENS", "Prisma")
    assert scanner.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
    assert software.ContributionDateTime == "20250304050607"
    assert image.Manufacturer == software.Manufacturer != "SIEMENS"


def test_unknown_character_sets_do_not_stop_the_result(tmp_path: Path) -> None:
    """The bytes are copied, so their encoding need not be known."""
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    for path in (tmp_path / "scan").glob("*.dcm"):
        content = path.read_bytes()
        path.write_bytes(content.replace(b"ISO_IR 100", b"ISO_IR 999"))
    paths, _, _ = series_of(tmp_path / "scan", tmp_path / "qsm")
    assert b"ISO_IR 999" in paths[0].read_bytes()


@pytest.mark.parametrize(("offset", "day", "clock"), [("+0200", "20250304", "072300"), ("-0730", "20250303", "215300")])
def test_times_are_in_the_offset_of_the_source(offset: str, day: str, clock: str, tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    change(tmp_path / "scan", lambda d: setattr(d, "TimezoneOffsetFromUTC", offset))
    image = _written_at(datetime(2025, 3, 4, 5, 23, tzinfo=UTC), tmp_path)
    assert image.TimezoneOffsetFromUTC == offset
    assert {image.SeriesDate, image.ContentDate, image.InstanceCreationDate} == {day}
    assert {image.SeriesTime, image.ContentTime, image.InstanceCreationTime} == {clock}
    assert image.ContributingEquipmentSequence[1].ContributionDateTime == day + clock


@pytest.mark.parametrize("offset", [None, "nowhere", "+9900"])
def test_without_a_usable_offset_times_are_local(
    offset: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    if offset is not None:
        change(tmp_path / "scan", lambda d: d.add(pydicom.DataElement(0x00080201, "LO", offset)))
    monkeypatch.setenv("TZ", "XST-3")  # three hours east
    time.tzset()
    try:
        image = _written_at(datetime(2025, 3, 4, 22, 23, tzinfo=UTC), tmp_path)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (image.SeriesDate, image.SeriesTime) == ("20250305", "012300")
    assert "TimezoneOffsetFromUTC" not in image


def _written_at(created: datetime, folder: Path, revision: int = 1) -> pydicom.Dataset:
    acquisition = only_acquisition(folder / "scan")
    reconstruction = make_reconstruction(read_acquisition(acquisition).grid)
    paths = write(reconstruction, acquisition, folder / "qsm", created=created, revision=revision)
    return pydicom.dcmread(paths[0])


def test_a_source_that_became_lossy_is_not_called_lossless(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    acquisition = only_acquisition(tmp_path / "scan")
    reconstruction = make_reconstruction(read_acquisition(acquisition).grid)
    change(tmp_path / "scan", lambda d: setattr(d, "LossyImageCompression", "01"))
    with pytest.raises(Refusal) as refusal:
        write(reconstruction, acquisition, tmp_path / "qsm")
    assert refusal.value.code == "lossy"


def test_a_revision_has_its_own_number_and_says_so(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    images = {revision: _written_at(CREATED, tmp_path, revision) for revision in (1, 2, 3, 250)}
    assert [image.SeriesNumber for image in list(images.values())[:3]] == [501, 521, 541]
    assert 500 < images[250].SeriesNumber < 600
    assert images[1].SeriesDescription == "QSM chi ppb [S5] RESEARCH"
    assert images[2].SeriesDescription == "QSM chi ppb [S5] RESEARCH r2"
    assert "evision" not in images[1].ImageComments
    assert "Revision 3" in images[3].ImageComments
    with pytest.raises(DicomError, match="revision 0"):
        _written_at(CREATED, tmp_path, 0)


def test_the_description_of_a_series_has_legal_length(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    change(tmp_path / "scan", lambda d: setattr(d, "SeriesNumber", 2**31 - 1 - (d.SeriesNumber == 6)))
    image = _written_at(CREATED, tmp_path, revision=10**9)
    assert image.SeriesDescription.endswith("RESEARCH r1000000000")
    assert len(image.SeriesDescription) <= 64


def test_files_carry_the_single_implementation_identity(scans: dict[str, Path], tmp_path: Path) -> None:
    """PS3.7 D.3.3.2: a valid UID, and a name of at most 16 characters."""
    paths, _, _ = series_of(scans["ge"], tmp_path / "qsm")
    meta = pydicom.dcmread(paths[0]).file_meta
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert IMPLEMENTATION_CLASS_UID.is_valid
    assert 0 < len(IMPLEMENTATION_VERSION_NAME) <= 16
