"""Stored values read by their place in the file are those that pydicom decodes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
)

from dicom_io.errors import Refusal
from dicom_io.source.file import read_image_file
from dicom_io.source.header import ImageHeader, read_headers
from dicom_io.source.pixels import decode, read_native

ROWS, COLUMNS = 5, 7


def write_image(
    path: Path, syntax: str, *, signed: bool, bits_stored: int, frames: int = 1, compress: bool = False
) -> Path:
    """Write an image whose unused bits hold anything."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if compress else syntax
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = (
        MRImageStorage if frames == 1 else EnhancedMRImageStorage
    )
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.4", "1.2.5"
    image.Rows, image.Columns = ROWS, COLUMNS
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, bits_stored, bits_stored - 1
    image.PixelRepresentation = int(signed)
    if frames > 1:
        image.NumberOfFrames = frames
    stored = np.random.default_rng(bits_stored).integers(0, 1 << 16, (frames, ROWS, COLUMNS), dtype=np.uint16)
    big = syntax == ExplicitVRBigEndian
    image.PixelData = stored.astype(">u2" if big else "<u2").tobytes()
    if compress:
        image.compress(syntax)
    dcmwrite(path, image, enforce_file_format=True, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=not big)
    return path


@pytest.mark.parametrize("bits_stored", [16, 12, 9])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("frames", [1, 3])
def test_values_are_those_that_pydicom_decodes(tmp_path, syntax, signed, bits_stored, frames):
    path = write_image(tmp_path / "image", syntax, signed=signed, bits_stored=bits_stored, frames=frames)
    native = read_image_file(path).native
    assert native is not None
    expected = decode(path, syntax).reshape(frames, ROWS, COLUMNS)
    for frame in range(frames):
        found = read_native(path, native, ROWS, COLUMNS, frame)
        assert np.array_equal(found, expected[frame])
        assert (found.dtype.kind == "i") is signed


@pytest.mark.parametrize(("syntax", "compress"), [(DeflatedExplicitVRLittleEndian, False), (RLELossless, True)])
def test_compressed_pixels_have_no_native_place(tmp_path, syntax, compress):
    path = write_image(tmp_path / "image", syntax, signed=False, bits_stored=16, compress=compress)
    assert read_image_file(path).native is None


def test_the_sign_must_be_stated(tmp_path):
    path = write_image(tmp_path / "image", ExplicitVRLittleEndian, signed=True, bits_stored=16)
    image = dcmread(path)
    del image.PixelRepresentation
    image.save_as(path)
    with pytest.raises(Refusal, match="PixelRepresentation"):
        read_image_file(path)


def with_pixel_header(path: Path, header: bytes, tail: bytes = b"") -> Path:
    """Replace the header of Pixel Data (explicit VR), and put something behind its value."""
    content = path.read_bytes()
    at = content.rindex(b"\xe0\x7f\x10\x00OW")
    path.write_bytes(content[:at] + header + content[at + 12 :] + tail)
    return path


LENGTH = struct.pack("<I", 2 * ROWS * COLUMNS)
TAG = b"\xe0\x7f\x10\x00"


@pytest.mark.parametrize(
    ("header", "tail", "code"),
    [
        (TAG + LENGTH, bytes(4), "unsupported-pixels"),  # implicit
        (TAG + b"OW\0\0\xff\xff\xff\xff", b"", "unsupported-pixels"),  # undefined length
        (TAG + b"US" + LENGTH[:2], bytes(4), "unsupported-pixels"),  # a short header
        (TAG + b"OW\0\0" + struct.pack("<I", 2 * COLUMNS), b"", "truncated"),  # another element begins within
    ],
)
def test_pixels_that_would_be_read_shifted_are_refused(tmp_path, header, tail, code):
    path = write_image(tmp_path / "image", ExplicitVRLittleEndian, signed=False, bits_stored=16)
    with pytest.raises(Refusal) as refused:
        read_image_file(with_pixel_header(path, header, tail))
    assert refused.value.code == code


def test_an_explicit_header_in_an_implicit_file_is_refused(tmp_path):
    path = write_image(tmp_path / "image", ImplicitVRLittleEndian, signed=False, bits_stored=16)
    content = path.read_bytes()
    at = content.rindex(TAG)
    path.write_bytes(content[:at] + TAG + b"OW\0\0" + LENGTH + content[at + 8 :])
    with pytest.raises(Refusal) as refused:
        read_image_file(path)
    assert refused.value.code == "unsupported-pixels"


def test_a_file_that_became_shorter_is_an_error(tmp_path):
    path = write_image(tmp_path / "image", ExplicitVRLittleEndian, signed=False, bits_stored=16)
    native = read_image_file(path).native
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="reshape"):
        read_native(path, native, ROWS, COLUMNS, 0)


def test_images_of_real_scanners_are_read_as_pydicom_decodes_them(real_data):
    checked = 0
    for path in sorted(real_data.rglob("*")):
        for header in headers_of(path)[:3]:
            if header.native is None:
                continue
            stored = decode(path, header.transfer_syntax_uid)
            expected = stored[header.frame] if stored.ndim == 3 else stored
            found = read_native(path, header.native, header.rows, header.columns, header.frame)
            assert np.array_equal(found, expected)
            checked += 1
    assert checked > 100


def headers_of(path: Path) -> tuple[ImageHeader, ...]:
    try:
        return read_headers(path) if path.is_file() else ()
    except Exception:  # what is refused is not read
        return ()
