"""The validator table: every object of every vendor through dciodvfy, every study as a whole through dcentvfy."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from dicom_io.derived.products import SERIES_NAMES
from dicom_io.derived.series_files import WrittenSeries
from dicom_io.synthetic import SCANNERS
from tests.dicom_io.conftest import only_acquisition
from tests.support.everything import MR_IMAGES, write_everything
from tests.support.validators import verify

RESCALED = (
    "Non-identity Modality LUT Module",
    "Attribute is not present in standard DICOM IOD - (0x0028,0x105",
    "this is a Standard Extended SOP Class",
)
OWN_CODES = ("Unrecognized defined term <99QSMPLUGIN>",)
NO_BODY_PART = "only permitted to be empty when actually unknown"
EXPECTED_WARNINGS = {
    **dict.fromkeys(MR_IMAGES, RESCALED + OWN_CODES),
    "parametric-map": ("Unrecognized defined term <QUANTITY> for value 4",),
    **dict.fromkeys(("phase-quality", "regions", "regional-report"), OWN_CODES),
}
"""Warnings of dciodvfy that are known, each with its reason in the conformance statement."""

_FORMS = ("-enhanced", "-legacy", "-norescale", "-complex", "-real", "-mapping")
VENDORS = (
    *sorted(name for name in SCANNERS if not name.endswith(_FORMS)),
    "siemens-enhanced",
    "philips-enhanced",
    "ge-legacy",
)
"""Every scanner's classic images, and one scanner's of each other kind; how phase is stored changes nothing."""


@pytest.fixture(scope="module", params=VENDORS)
def study(
    request: pytest.FixtureRequest, scans: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, WrittenSeries]]:
    folder = tmp_path_factory.mktemp("everything")
    profile = "pacs16" if "philips" in request.param else "console12"
    return scans[request.param], write_everything(only_acquisition(scans[request.param]), folder, profile=profile)


def test_each_object_is_valid(study: tuple[Path, dict[str, WrittenSeries]]) -> None:
    _, written = study
    assert set(written) == set(SERIES_NAMES)
    for name, series in written.items():
        for path in dict.fromkeys((series.paths[0], series.paths[-1])):
            report = verify("dciodvfy", [path])
            assert report, "it was not read"
            assert [line for line in report if line.startswith("Error")] == [], name
            expected = (NO_BODY_PART, *EXPECTED_WARNINGS.get(name, ()))
            warnings = [line for line in report if line.startswith("Warning")]
            assert [line for line in warnings if not any(text in line for text in expected)] == [], name


def test_the_study_is_consistent_as_a_whole(study: tuple[Path, dict[str, WrittenSeries]]) -> None:
    scan, written = study
    paths = [path for series in written.values() for path in series.paths]
    report = verify("dcentvfy", [*sorted(scan.glob("*.dcm")), *paths])
    # The validator counts AccessionNumber of a Structured Report to its series, of all others to the study.
    # Attributes of a clinical trial are not taken from the source.
    known = ("<AccessionNumber> IE <Study> versus <Series>", "<ClinicalTrial")
    assert [line for line in report if not any(text in line for text in known)] == []


def test_the_validators_see_what_is_wrong(study: tuple[Path, dict[str, WrittenSeries]], tmp_path: Path) -> None:
    """Else their silence would mean nothing."""
    scan, written = study
    image = pydicom.dcmread(written["qsm"].paths[0])
    image.PatientName = "SOMEBODY^ELSE"
    del image.ImageType
    image.save_as(tmp_path / "wrong.dcm")
    assert any(line.startswith("Error") for line in verify("dciodvfy", [tmp_path / "wrong.dcm"]))
    pair = verify("dcentvfy", [tmp_path / "wrong.dcm", *sorted(scan.glob("*.dcm"))[:1]])
    assert any(line.startswith("Error") and "PatientName" in line for line in pair)


def test_series_have_numbers_of_their_own(study: tuple[Path, dict[str, WrittenSeries]]) -> None:
    scan, written = study
    numbers = [series.series_number for series in written.values()]
    sources = {int(pydicom.dcmread(path, stop_before_pixels=True).SeriesNumber) for path in scan.glob("*.dcm")}
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & sources
