"""What a scanner writes is read back: per vendor, on oblique, anisotropic, non-cubic volumes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless

from dicom_io.errors import DicomError, Refusal
from dicom_io.source.acquisition.grouping import group_acquisitions
from dicom_io.source.folder import find_acquisitions
from dicom_io.source.read import read_acquisition, read_folder
from dicom_io.synthetic import SCANNERS, write_scan
from recon.types import GradientEcho
from tests.dicom_io.conftest import only_acquisition
from tests.support.phantom import change, make_echoes, wrapped
from tests.support.synthetic import small_echoes, write_small_scan

# Half a step: 12 bits over 2π; real and imaginary of 16 bits resolve phase finer than that.
HALF_STEP_RAD = np.pi / 4096 * 1.001


# Real and imaginary of 12 bits: a step of 1/2047 of the largest magnitude turns a weak signal by more.
COARSE = ("siemens-real", "philips-real")


@pytest.mark.parametrize("vendor", SCANNERS)
def test_every_scanner_with_every_object_gives_the_signal_back(
    vendor: str, scans: dict[str, Path], echoes: GradientEcho
) -> None:
    read = read_acquisition(only_acquisition(scans[vendor]))
    step = 4 * HALF_STEP_RAD if vendor.startswith(COARSE) else HALF_STEP_RAD
    assert np.abs(wrapped(read.phase_rad - echoes.phase_rad)).max() <= step
    assert np.abs(read.phase_rad).max() < np.pi + 2e-3
    scale = np.sum(read.magnitude * echoes.magnitude) / np.sum(echoes.magnitude**2)
    assert np.abs(read.magnitude / scale - echoes.magnitude).max() < echoes.magnitude.max() / 2047
    assert read.grid.shape == echoes.grid.shape
    assert read.grid.voxel_size_mm == pytest.approx(echoes.grid.voxel_size_mm, abs=1e-4)
    assert read.grid.b0_direction == pytest.approx(echoes.grid.b0_direction, abs=1e-9)
    assert read.echo_times_s == echoes.echo_times_s
    assert read.b0_tesla == pytest.approx(echoes.b0_tesla, rel=1e-8)


@pytest.mark.parametrize(
    "direction", [(0, 0, 1), (0, 0, -1), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0.6, 0, 0.8), (-0.1, 0.5, -0.7)]
)
def test_every_orientation_keeps_the_field_direction(direction: tuple[float, float, float], tmp_path: Path) -> None:
    echoes = make_echoes(direction)
    write_scan(echoes, tmp_path, vendor="philips", study_seed=1)
    read = read_acquisition(only_acquisition(tmp_path))
    assert read.grid.b0_direction == pytest.approx(echoes.grid.b0_direction, abs=1e-9)
    assert np.abs(wrapped(read.phase_rad - echoes.phase_rad)).max() <= HALF_STEP_RAD


def test_one_echo_is_read(tmp_path: Path) -> None:
    echoes = make_echoes(echo_times_s=(0.02,))
    write_scan(echoes, tmp_path, vendor="siemens", study_seed=1)
    assert read_acquisition(only_acquisition(tmp_path)).phase_rad.shape == (1, *echoes.grid.shape)


def test_order_of_the_images_does_not_matter(scans: dict[str, Path], echoes: GradientEcho) -> None:
    headers = list(only_acquisition(scans["ge"]).headers)
    np.random.default_rng(5).shuffle(headers)  # type: ignore[arg-type]
    (acquisition,) = group_acquisitions(headers)
    assert acquisition == only_acquisition(scans["ge"])
    assert np.abs(wrapped(read_acquisition(acquisition).phase_rad - echoes.phase_rad)).max() <= HALF_STEP_RAD


def test_slices_sent_downwards_are_sorted_along_the_normal(tmp_path: Path, echoes: GradientEcho) -> None:
    write_scan(echoes, tmp_path, vendor="siemens", study_seed=1)
    for path in tmp_path.glob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.InstanceNumber = 1000 - dataset.InstanceNumber
        dataset.save_as(path)
    read = read_acquisition(only_acquisition(tmp_path))
    assert np.abs(wrapped(read.phase_rad - echoes.phase_rad)).max() <= HALF_STEP_RAD


CONVERSIONS = {
    "implicit": ("dcmconv", "+ti"),
    "big endian": ("dcmconv", "+tb"),
    "deflated": ("dcmconv", "+td"),
    "RLE": ("dcmcrle",),
    "JPEG lossless": ("dcmcjpeg", "+e1"),
    "JPEG-LS": ("dcmcjpls", "+el"),
}


@pytest.mark.parametrize(
    ("conversion", "vendor"),
    [
        *((conversion, "siemens") for conversion in CONVERSIONS),
        ("implicit", "philips"),  # private elements
        ("implicit", "ge"),
        ("big endian", "ge"),
        ("JPEG lossless", "ge"),  # signed pixels
    ],
)
def test_transfer_syntaxes_read_alike(conversion: str, vendor: str, tmp_path: Path, scans: dict[str, Path]) -> None:
    program, *options = CONVERSIONS[conversion]
    if shutil.which(program) is None:
        pytest.skip(f"{program} (dcmtk) is not installed")
    for path in scans[vendor].glob("*.dcm"):
        subprocess.run([program, *options, path, tmp_path / path.name], check=True, capture_output=True)
    _assert_equal(tmp_path, scans[vendor])


def test_jpeg_2000_reads_alike(tmp_path: Path) -> None:
    original, compressed = tmp_path / "original", tmp_path / "compressed"
    compressed.mkdir()
    echoes = make_echoes(echo_times_s=(0.01,), shape=(40, 36, 3))  # the encoder needs 32 by 32
    for path in write_scan(echoes, original, vendor="siemens", study_seed=1):
        dataset = pydicom.dcmread(path)
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
        dataset.save_as(compressed / path.name)
    _assert_equal(compressed, original)


def _assert_equal(folder: Path, original: Path) -> None:
    expected, read = (read_acquisition(only_acquisition(f)) for f in (original, folder))
    np.testing.assert_array_equal(read.phase_rad, expected.phase_rad)
    np.testing.assert_array_equal(read.magnitude, expected.magnitude)
    assert read.grid == expected.grid


def test_slice_thickness_is_never_taken_for_the_distance_of_slices(tmp_path: Path, echoes: GradientEcho) -> None:
    """Slices overlap or have gaps; positions alone say how far apart they are."""
    write_scan(echoes, tmp_path, vendor="siemens", study_seed=1)
    change(tmp_path, lambda d: (setattr(d, "SliceThickness", "9"), setattr(d, "SpacingBetweenSlices", "7")))
    assert read_acquisition(only_acquisition(tmp_path)).grid.voxel_size_mm == pytest.approx(echoes.grid.voxel_size_mm)


def test_an_incomplete_acquisition_is_not_read(tmp_path: Path, echoes: GradientEcho) -> None:
    write_scan(echoes, tmp_path, vendor="siemens", study_seed=1)[7].unlink()
    with pytest.raises(Refusal, match="echo 2 magnitude: slice 2"):
        read_acquisition(only_acquisition(tmp_path))


def test_pixels_damaged_after_the_header_was_read_are_refused(tmp_path: Path, echoes: GradientEcho) -> None:
    paths = write_scan(echoes, tmp_path, vendor="siemens", study_seed=1)
    acquisition = only_acquisition(tmp_path)
    paths[3].write_bytes(paths[3].read_bytes()[:-20])
    with pytest.raises(Refusal) as refusal:
        read_acquisition(acquisition)
    assert refusal.value.code == "unreadable-pixels"


def test_an_unknown_scanner_is_named(tmp_path: Path, echoes: GradientEcho) -> None:
    with pytest.raises(DicomError, match="siemens"):
        write_scan(echoes, tmp_path, vendor="acme", study_seed=1)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, echoes: GradientEcho) -> None:
    first = write_scan(echoes, tmp_path / "a", vendor="ge", study_seed=4)
    second = write_scan(echoes, tmp_path / "b", vendor="ge", study_seed=4)
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    other = write_scan(echoes, tmp_path / "c", vendor="ge", study_seed=5)
    (a,), (c,) = find_acquisitions(tmp_path / "a").acquisitions, find_acquisitions(tmp_path / "c").acquisitions
    assert len(other) == len(first)
    assert a.key != c.key


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "StudyID"])
def test_echoes_of_two_patients_are_refused(keyword: str, tmp_path: Path) -> None:
    """A worklist mistake that was corrected at the scanner between magnitude and phase."""
    write_scan(make_echoes(), tmp_path / "scan", vendor="siemens", study_seed=1)
    change(tmp_path / "scan", lambda d: setattr(d, keyword, "20000101"), only="P")
    with pytest.raises(Refusal) as refusal:
        read_acquisition(only_acquisition(tmp_path / "scan"))
    assert refusal.value.code == "identity-differs"
    assert keyword in str(refusal.value)
    assert "20000101" not in str(refusal.value)


def test_one_acquisition_is_read_whatever_lies_beside_it(tmp_path):
    paths = write_small_scan(tmp_path / "scan")
    localizer = tmp_path / "localizer"
    localizer.mkdir()
    shutil.copy(write_small_scan(tmp_path / "other", seed=2)[0], localizer)
    shutil.rmtree(tmp_path / "other")
    assert read_folder(tmp_path).magnitude.shape == small_echoes().magnitude.shape
    paths[0].unlink()
    with pytest.raises(DicomError, match="2 acquisitions; give a folder"):
        read_folder(tmp_path)


def test_an_acquisition_that_is_refused_says_why(tmp_path):
    write_small_scan(tmp_path)[0].unlink()
    with pytest.raises(Refusal, match=r"missing|Missing"):
        read_folder(tmp_path)
    with pytest.raises(DicomError, match="no such folder"):
        read_folder(tmp_path / "nothing")
