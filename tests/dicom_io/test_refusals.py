"""Every reason of the catalogue is given for the input it is meant for, without patient data."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSLossless, JPEGLSNearLossless

from dicom_io.errors import Refusal
from dicom_io.identity import INSTANCE_CREATOR_UID
from dicom_io.refusals import CATALOGUE, refuse
from dicom_io.source.acquisition.completeness import assess
from dicom_io.source.folder import find_acquisitions
from dicom_io.source.read import read_acquisition
from dicom_io.synthetic import write_scan
from tests.support.phantom import change, make_echoes, put
from tests.support.synthetic import read_header

NAME = "Secret^Person"


def drop(*keywords: str) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        for keyword in keywords:
            delattr(dataset, keyword)

    return edit


ONE_FILE = {
    "own-output": put(InstanceCreatorUID=INSTANCE_CREATOR_UID),
    "not-mr-image": put(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"),
    "derived": put(ImageType=["DERIVED", "SECONDARY", "M"]),
    "mosaic": put(ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]),
    "epi": put(ScanningSequence=["EP", "GR"]),
    "unsupported-pixels": put(PhotometricInterpretation="RGB"),
    "unsupported-frames": put(NumberOfFrames=2),
    "lossy": put(LossyImageCompression="01"),
    "no-identity": drop("SeriesInstanceUID"),
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1, patient_name=NAME)[0]


@pytest.mark.parametrize("code", ONE_FILE)
def test_an_image_that_is_not_ours_is_refused(code: str, image: Path) -> None:
    dataset = pydicom.dcmread(image)
    ONE_FILE[code](dataset)
    dataset.save_as(image)
    assert _refused(image).code == code


def test_a_volume_tiled_by_united_imaging_is_a_mosaic(image: Path) -> None:
    dataset = pydicom.dcmread(image)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "VFRAME"]
    dataset.save_as(image)
    assert _refused(image).code == "mosaic"


def test_a_private_sop_class_is_not_an_mr_image(image: Path) -> None:
    """As Siemens' raw and non-image objects, which come with the images."""
    dataset = pydicom.dcmread(image)
    dataset.SOPClassUID = "1.3.12.2.1107.5.9.1"
    dataset.save_as(image)
    assert _refused(image).code == "not-mr-image"


@pytest.mark.parametrize(
    "edit",
    [
        put(BitsAllocated=8, BitsStored=8, HighBit=7),
        put(SamplesPerPixel=3),
        put(BitsStored=0),
        drop("Rows"),
        put(PhotometricInterpretation="MONOCHROME1"),
    ],
)
def test_pixel_formats_that_are_not_supported(edit: Callable[[Dataset], None], image: Path) -> None:
    dataset = pydicom.dcmread(image)
    edit(dataset)
    dataset.save_as(image)
    assert _refused(image).code == "unsupported-pixels"


def test_a_file_that_is_not_dicom(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("patient list")
    assert _refused(tmp_path / "notes.txt").code == "not-dicom"
    assert _refused(tmp_path / "absent").code == "not-dicom"
    (tmp_path / "empty").write_bytes(b"")
    assert _refused(tmp_path / "empty").code == "not-dicom"


@pytest.mark.parametrize("lost", [1, 100, 200])
def test_a_file_that_ends_early(lost: int, image: Path) -> None:
    image.write_bytes(image.read_bytes()[:-lost])
    assert _refused(image).code == "truncated"


@pytest.mark.parametrize("program", ["dcmcrle", "dcmcjpls"])
def test_a_compressed_file_that_ends_early(program: str, image: Path, tmp_path: Path) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} (dcmtk) is not installed")
    compressed = tmp_path / "compressed.dcm"
    subprocess.run([program, image, compressed], check=True)
    assert read_header(compressed).rows == make_echoes().grid.shape[1]
    compressed.write_bytes(compressed.read_bytes()[:-10])
    assert _refused(compressed).code == "truncated"


@pytest.mark.parametrize(
    ("transfer_syntax", "stated", "code"),
    [
        (JPEGBaseline8Bit, None, "lossy"),
        (JPEGExtended12Bit, "00", "lossy"),
        (JPEG2000, None, "lossy"),
        (JPEGLSNearLossless, None, "lossy"),
        (JPEG2000, "00", ""),
        (JPEGLSLossless, None, ""),
    ],
)
def test_a_lossy_transfer_syntax_is_refused(transfer_syntax: str, stated: str | None, code: str, image: Path) -> None:
    dataset = pydicom.dcmread(image)
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    dataset.PixelData = encapsulate([dataset.PixelData])
    dataset["PixelData"].is_undefined_length = True
    if stated is not None:
        dataset.LossyImageCompression = stated
    dataset.save_as(image)
    if code:
        assert _refused(image).code == code
    else:
        assert read_header(image).transfer_syntax_uid == transfer_syntax


@dataclass(frozen=True, kw_only=True)
class Case:
    """A damaged scan, and the reason expected for it."""

    edit: Callable[[Path], object]
    code: str
    state: str = "refused"
    vendor: str = "siemens"
    says: str = ""


def _lose(lost: Callable[[Dataset], bool]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        for path in folder.glob("*.dcm"):
            if lost(pydicom.dcmread(path)):
                path.unlink()

    return edit


def _index(dataset: Dataset) -> int:
    return int(dataset.InstanceNumber - 1) % make_echoes().grid.shape[2]


def _is_first_phase(dataset: Dataset) -> bool:
    return "P" in dataset.ImageType and dataset.EchoNumbers == 1


def _edit(edit: Callable[[Dataset], object], only: str = "", count: int | None = None) -> Callable[[Path], None]:
    return lambda folder: change(folder, edit, only, count)


def _copy_with_new_identity(folder: Path) -> None:
    dataset = pydicom.dcmread(sorted(folder.glob("*.dcm"))[4])
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.save_as(folder / "copy.dcm")


def _second_coil(folder: Path) -> None:
    for path in sorted(folder.glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        for coil in ("H1", "H2"):
            dataset.ReceiveCoilName = coil
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = (
                f"{dataset.SOPInstanceUID}.{coil[1]}"
            )
            dataset.save_as(folder / f"{path.stem}-{coil}.dcm")
        path.unlink()


def _repeat_without_times(folder: Path) -> None:
    """Store both magnitudes before both phases."""
    for path in sorted(folder.glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        del dataset.AcquisitionTime
        dataset.SeriesNumber = {"M": 1, "P": 3}[dataset.ImageType[2]]
        dataset.save_as(path)
        dataset.SeriesNumber += 1
        dataset.SeriesInstanceUID += ".1"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{dataset.SOPInstanceUID}.1"
        dataset.save_as(folder / f"again-{path.name}")


def _copy_with_other_content(folder: Path) -> None:
    dataset = pydicom.dcmread(sorted(folder.glob("*.dcm"))[4])
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(folder / "copy.dcm")


def _move(dataset: Dataset) -> None:
    """Shift the last slice of each stack by half a slice along the normal."""
    if _index(dataset) == make_echoes().grid.shape[2] - 1:
        dataset.ImagePositionPatient = [0, 0, 0]


def _uneven(dataset: Dataset) -> None:
    row, column = (list(map(float, dataset.ImageOrientationPatient[i : i + 3])) for i in (0, 3))
    normal = [row[i - 2] * column[i - 1] - row[i - 1] * column[i - 2] for i in range(3)]
    if _index(dataset) == make_echoes().grid.shape[2] - 1:
        moved = [float(p) + 0.4 * n for p, n in zip(dataset.ImagePositionPatient, normal, strict=True)]
        dataset.ImagePositionPatient = [f"{p:.10f}" for p in moved]


CASES = {
    "no phase": Case(edit=_lose(lambda d: "P" in d.ImageType), code="no-phase", state="incomplete", says="3 echoes"),
    "no magnitude": Case(edit=_lose(lambda d: "M" in d.ImageType), code="no-magnitude", state="incomplete"),
    "field map sequence": Case(edit=_edit(put(SequenceName="*fm2d2r")), code="phase-difference"),
    "phase of the last of two": Case(
        edit=_lose(lambda d: d.EchoNumbers == 3 or _is_first_phase(d)), code="phase-difference", state="incomplete"
    ),
    "phase of all but the first": Case(edit=_lose(_is_first_phase), code="phase-difference", state="incomplete"),
    "an inversion": Case(edit=_edit(put(ScanningSequence=["GR", "IR"])), code="inversion-recovery"),
    "an encoded velocity": Case(edit=_edit(put(SequenceName="*fl3d1r_v80in")), code="velocity-encoded"),
    "a field map": Case(
        edit=_edit(put(RescaleType="Hz", RescaleSlope="1", RescaleIntercept="0")),
        code="field-map",
        state="incomplete",
        vendor="philips",
    ),
    "a susceptibility map": Case(
        edit=_edit(put(ImageType=["ORIGINAL", "PRIMARY", "M", "QSM"])),
        code="susceptibility-map",
        state="incomplete",
        vendor="philips",
    ),
    "weighted images": Case(
        edit=_edit(put(ImageType=["ORIGINAL", "PRIMARY", "M", "SWI"])),
        code="weighted-image",
        state="incomplete",
        vendor="philips",
    ),
    "maps of relaxation": Case(
        edit=_edit(put(ImageType=["ORIGINAL", "PRIMARY", "T2_STAR_MAP", "T2_STAR_MAP"])),
        code="processed-image",
        state="incomplete",
        vendor="philips",
    ),
    "a mean of echoes": Case(
        edit=_edit(put(ImageType=["ORIGINAL", "PRIMARY", "M", "MEAN"])),
        code="mean-of-echoes",
        state="incomplete",
        vendor="philips",
    ),
    "nothing that says what images show": Case(
        edit=_edit(lambda d: d.remove_private_tags()), code="component-unknown", state="incomplete", vendor="ge"
    ),
    "real and imaginary on other scales": Case(
        edit=_edit(lambda d: [d.remove_private_tags(), "I" in d.ImageType and setattr(d, "RescaleSlope", "0.1")]),
        code="unequal-scales",
        vendor="philips-real",
        says="0.1",
    ),
    "repetitions without times": Case(
        edit=lambda folder: _repeat_without_times(folder), code="runs-undetermined", state="incomplete"
    ),
    "not a gradient echo": Case(edit=_edit(put(ScanningSequence="SE")), code="not-gradient-echo", says="SE"),
    "filtered by type": Case(
        edit=_edit(put(ImageType=["ORIGINAL", "PRIMARY", "P", "ND", "PHA_HP"]), only="P"), code="filtered-phase"
    ),
    "filtered by words": Case(
        edit=_edit(put(SeriesDescription="swi phase Homodyne"), only="P"), code="filtered-phase", says="homodyne"
    ),
    "phase of unknown range": Case(
        edit=_edit(put(RescaleSlope="1", RescaleIntercept="-180"), only="P"), code="phase-unit-unknown"
    ),
    "phase of unknown unit": Case(
        edit=_edit(put(RescaleType="US", RescaleIntercept="-2048", RescaleSlope="1"), only="P"),
        code="phase-unit-unknown",
        vendor="philips",
    ),
    "unknown vendor": Case(edit=_edit(put(Manufacturer="Acme")), code="phase-unit-unknown"),
    "a missing image": Case(
        edit=lambda folder: sorted(folder.glob("S0006*"))[7].unlink(),
        code="missing-slices",
        state="incomplete",
        says="echo 2 phase: slice 2",
    ),
    "a missing slice": Case(
        edit=_lose(lambda d: _index(d) == 3),
        code="missing-slices",
        state="incomplete",
        says="echo 1 magnitude: slice 4;",
    ),
    "a missing outer slice that is declared": Case(
        edit=lambda folder: [p.unlink() for p in sorted(folder.glob("*.dcm"))[-6:]],
        code="missing-slices",
        state="incomplete",
        vendor="philips",
        says="1 of 6 slices",
    ),
    "a missing echo": Case(
        edit=_lose(lambda d: d.EchoNumbers == 2), code="missing-slices", state="incomplete", says="echo 2: all images"
    ),
    "a doubled image": Case(edit=_copy_with_new_identity, code="duplicate-slices", says="echo 1 magnitude: slice 5"),
    "two contents of one image": Case(edit=_copy_with_other_content, code="same-uid-different-content"),
    "other spacing in one echo": Case(
        edit=_edit(lambda d: d.EchoNumbers == 2 and setattr(d, "PixelSpacing", [0.8, 0.7])), code="unequal-geometry"
    ),
    "other matrix in one echo": Case(
        edit=_edit(lambda d: d.EchoNumbers == 2 and setattr(d, "Rows", 4)), code="unequal-geometry", says="Rows"
    ),
    "a slice beside the stack": Case(edit=_edit(_move), code="unequal-geometry"),
    "uneven slices": Case(edit=_edit(_uneven), code="uneven-spacing", state="incomplete"),
    "one slice": Case(edit=_lose(lambda d: _index(d) != 2), code="one-slice", state="incomplete"),
    "no orientation": Case(edit=_edit(drop("ImageOrientationPatient")), code="no-geometry"),
    "no position": Case(edit=_edit(drop("ImagePositionPatient"), count=1), code="no-geometry"),
    "a skewed orientation": Case(
        edit=_edit(put(ImageOrientationPatient=[1, 0, 0, 0.5, 1, 0])), code="no-geometry", says="Orientation"
    ),
    "no echo time": Case(edit=_edit(drop("EchoTime"), count=1), code="no-echo-time"),
    "echo time zero": Case(edit=_edit(put(EchoTime="0")), code="no-echo-time"),
    "equal echo times": Case(edit=_edit(put(EchoTime="5")), code="equal-echo-times", says="1 and 2 and 3"),
    "echo times that fall": Case(
        edit=_edit(lambda d: setattr(d, "EchoNumbers", 4 - d.EchoNumbers)), code="echo-order", says="3, 2, 1"
    ),
    "an open magnet": Case(
        edit=_edit(put(Manufacturer="GE MEDICAL SYSTEMS", ManufacturerModelName="SIGNA OpenSpeed")),
        code="vertical-field",
        vendor="ge",
        says="OpenSpeed",
    ),
    "images of coil elements": Case(edit=_second_coil, code="uncombined-coils", says="2"),
    "no field strength": Case(edit=_edit(drop("MagneticFieldStrength", "ImagingFrequency")), code="no-field-strength"),
    "another nucleus": Case(edit=_edit(put(ImagingFrequency="49.9")), code="field-strength-conflict"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_acquisition_that_cannot_be_reconstructed(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    write_scan(make_echoes(), tmp_path, vendor=case.vendor, study_seed=1, patient_name=NAME)
    case.edit(tmp_path)
    (acquisition,) = find_acquisitions(tmp_path).acquisitions
    completeness = assess(acquisition)
    assert completeness.reason is not None
    assert (completeness.reason.code, completeness.state) == (case.code, case.state)
    assert case.says in completeness.reason.message
    assert "Secret" not in completeness.reason.message
    with pytest.raises(Refusal) as refusal:
        read_acquisition(acquisition)
    assert refusal.value.code == case.code


def test_every_reason_has_a_test() -> None:
    elsewhere = {"not-dicom", "truncated", "unreadable-pixels", "too-large", "no-patient-position", "identity-differs"}
    elsewhere |= {"unknown-transfer-syntax", "apart", "extra-series", "coil-element"}  # tests/acceptance
    elsewhere |= {"balanced", "implausible-echo-time", "slice-gaps", "half-skipped"}  # tests/acceptance
    elsewhere |= {"phase-range"}  # test_phase_range
    elsewhere |= {"inflates-too-much"}  # source/test_file
    tested = elsewhere | set(ONE_FILE) | {case.code for case in CASES.values()}
    assert tested == set(CATALOGUE)


def test_an_acquisition_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)
    (acquisition,) = find_acquisitions(tmp_path).acquisitions
    gib = 2 * sum(header.rows * header.columns for header in acquisition.headers) / 2**30
    assert assess(acquisition, largest_gib=gib).state == "complete"
    completeness = assess(acquisition, largest_gib=0.99 * gib)
    assert completeness.state == "refused"
    assert completeness.reason is not None
    assert completeness.reason.code == "too-large"
    assert "GiB" in completeness.reason.message


def test_unfiltered_phase_is_not_taken_for_filtered(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path, vendor="siemens", study_seed=1)
    change(tmp_path, put(SeriesDescription="QSM SWI phase unfiltered"))
    (acquisition,) = find_acquisitions(tmp_path).acquisitions
    assert assess(acquisition).state == "complete"


def test_a_refusal_says_its_code_and_sentence() -> None:
    refusal = refuse("derived", found="DERIVED\\SECONDARY")
    assert refusal.code == "derived"
    assert "DERIVED\\SECONDARY" in str(refusal) == refusal.message


def test_a_folder_lists_the_files_that_it_skips(tmp_path: Path) -> None:
    write_scan(make_echoes(), tmp_path / "deep" / "er", vendor="philips", study_seed=1)
    (tmp_path / "LICENSE").write_text("free")
    (tmp_path / ".hidden").write_text("left out")
    scan = find_acquisitions(tmp_path)
    assert len(scan.acquisitions) == 1
    assert [(path.name, reason.code) for path, reason in scan.skipped] == [("LICENSE", "not-dicom")]
    with pytest.raises(Refusal):
        find_acquisitions(tmp_path / "absent")


def _refused(path: Path) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        read_header(path)
    assert "Secret" not in refusal.value.message
    return refusal.value
