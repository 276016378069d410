"""Stored values read by their place in the file are those that pydicom decodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
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

from dicom_io.headers import ImageHeader, read_headers
from dicom_io.objects.image_file import read_image_file
from dicom_io.objects.pixels import decode, read_native

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
    expected = decode(path, deflated=False).reshape(frames, ROWS, COLUMNS)
    for frame in range(frames):
        found = read_native(path, native, ROWS, COLUMNS, frame)
        assert np.array_equal(found, expected[frame])
        assert (found.dtype.kind == "i") is signed


@pytest.mark.parametrize(("syntax", "compress"), [(DeflatedExplicitVRLittleEndian, False), (RLELossless, True)])
def test_what_has_to_be_decoded_has_no_place(tmp_path, syntax, compress):
    path = write_image(tmp_path / "image", syntax, signed=False, bits_stored=16, compress=compress)
    assert read_image_file(path).native is None


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
            stored = decode(path, deflated=False)
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
