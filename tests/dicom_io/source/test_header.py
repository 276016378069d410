"""Headers: plain values that survive storage, and hold no name or free text of the patient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_io.source.components import Component
from dicom_io.source.header import ImageHeader, read_headers
from dicom_io.synthetic import write_scan
from tests.support.phantom import ECHO_TIMES_S, change, make_echoes
from tests.support.synthetic import read_header


@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips"])
def test_json_gives_the_header_back(vendor: str, scans: dict[str, Path]) -> None:
    for path in scans[vendor].glob("*.dcm"):
        header = read_header(path)
        assert ImageHeader.from_json(header.to_json()) == header


def test_json_keeps_what_is_missing(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)
    change(tmp_path, lambda dataset: dataset.pop("ImageOrientationPatient"), count=1)
    change(tmp_path, lambda dataset: setattr(dataset, "ImageType", ["ORIGINAL", "PRIMARY", "X"]), count=1)
    header = read_header(sorted(tmp_path.glob("*.dcm"))[0])
    assert header.image_orientation is None
    assert header.component is None
    assert ImageHeader.from_json(header.to_json()) == header


def test_values_are_in_si_units(scans: dict[str, Path]) -> None:
    headers = [read_header(path) for path in scans["philips"].glob("*.dcm")]
    assert {header.echo_time_s for header in headers} == set(ECHO_TIMES_S)
    assert {header.component for header in headers} == {Component.MAGNITUDE, Component.PHASE}
    assert {header.declared_slices for header in headers} == {make_echoes().grid.shape[2]}


FREE_TEXT = ("ProtocolName", "SeriesDescription", "StudyDescription", "ImageComments", "AccessionNumber", "StationName")


def test_no_name_number_or_free_text_is_kept(tmp_path: Path) -> None:
    path = write_scan(make_echoes(), tmp_path, vendor="ge", study_seed=8, patient_name="Doe^Jane")[0]
    change(tmp_path, lambda dataset: [setattr(dataset, keyword, "Jane Doe") for keyword in FREE_TEXT])
    text = read_header(path).to_json()
    assert "Doe" not in text
    assert "PHANTOM-8" not in text


def test_protocols_are_compared_by_a_hash(tmp_path: Path) -> None:
    paths = write_scan(make_echoes(), tmp_path, vendor="ge", study_seed=8)
    change(tmp_path, lambda dataset: setattr(dataset, "ProtocolName", "other"), count=1)
    hashes = [read_header(path).protocol_sha256 for path in sorted(paths)]
    assert len(set(hashes)) == 2
    assert hashes.count(hashes[-1]) == len(paths) - 1


def test_the_digest_is_of_the_content_not_of_the_transfer(tmp_path: Path) -> None:
    """The file meta information names the last sender; the image stays the same."""
    path = write_scan(make_echoes(), tmp_path, vendor="ge", study_seed=8)[0]
    before = read_header(path)

    def sent_again(dataset: object) -> None:
        dataset.file_meta.SourceApplicationEntityTitle = "ROUTER"  # type: ignore[attr-defined]

    change(tmp_path, sent_again, count=1)
    after = read_header(path)
    assert after.content_sha256 == before.content_sha256
    change(tmp_path, lambda dataset: setattr(dataset, "InstanceNumber", 77), count=1)
    assert read_header(path).content_sha256 != before.content_sha256


def test_a_digest_that_is_known_is_kept(scans: dict[str, Path]) -> None:
    path = next(scans["ge"].glob("*.dcm"))
    (header,) = read_headers(path, content_sha256="ab" * 32)
    assert header == replace(read_header(path), content_sha256="ab" * 32)


def test_a_classic_image_is_one_frame(scans: dict[str, Path]) -> None:
    path = next(scans["ge"].glob("*.dcm"))
    assert [header.frame for header in read_headers(path)] == [0]


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 192", "Müller^Zoë=山田^太郎"),
        ("GB18030", "王^小东"),
        (["ISO 2022 IR 6", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
        ("ISO_IR 100", "Müller^Zoë"),
    ],
)
def test_names_in_any_character_set_are_passed_over_and_not_kept(
    character_set: str | list[str], name: str, tmp_path: Path
) -> None:
    path = write_scan(make_echoes(), tmp_path, vendor="philips", study_seed=8)[0]
    plain = read_header(path)

    def named(dataset: Dataset) -> None:
        dataset.SpecificCharacterSet, dataset.PatientName = character_set, name

    change(tmp_path, named, count=1)
    header = read_header(path)
    assert replace(header, content_sha256=plain.content_sha256, native=plain.native) == plain
    assert not set(name[1:5]) & set("üë山太王小东") & set(header.to_json())


def test_an_unknown_character_set_does_not_stop_reading(tmp_path: Path) -> None:
    path = write_scan(make_echoes(), tmp_path, vendor="philips", study_seed=8)[0]
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", b"ISO_IR 999"))
    assert read_header(path).vendor == "philips"


def test_texts_are_compared_with_the_sites_patterns_and_not_kept(tmp_path: Path) -> None:
    path = write_scan(make_echoes(), tmp_path, vendor="ge", study_seed=8)[0]
    patterns = {"ours": ("ProtocolName", "QSM*"), "theirs": ("ProtocolName", "loc*"), "none": ("ImageComments", "*")}
    (header,) = read_headers(path, patterns)
    assert header.labels == ("none", "ours")
    assert "qsm_gre" not in header.to_json()
