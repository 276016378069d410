"""A file's data set without its pixels, checked to be a complete MR image."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from dicom_io.identity import is_own_output
from dicom_io.refusals import refuse
from dicom_io.source.elements import Elements
from dicom_io.source.pixels import Native, native_pixels, uncompressed_value
from dicom_io.source.tolerance import tolerant

MULTI_FRAME_CLASSES: Final = frozenset({EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage})
_LOSSY: Final = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit})
_MAYBE_LOSSY: Final = frozenset({JPEGLSNearLossless, JPEG2000, HTJ2K})
"""Syntaxes for both; their images are accepted only if they state that nothing was lost."""

_PIXEL_FORMAT: Final = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16}
_TILED: Final = frozenset({"MOSAIC", "VFRAME"})
"""Values of ImageType of a volume tiled into one image: Siemens', United Imaging's."""

_SEQUENCE_DELIMITER: Final = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """An MR image (or multi-frame object) without its pixels.

    Parameters
    ----------
    dataset
        All elements before Pixel Data, mostly undecoded.
    content
        The data set as stored, without preamble and file meta information.
    transfer_syntax_uid
        How it is encoded.
    frames
        Number of frames.
    native
        Where the stored values are; None if they are compressed.
    """

    dataset: FileDataset
    content: memoryview
    transfer_syntax_uid: str
    frames: int
    native: Native | None

    def content_sha256(self) -> str:
        """Hash the stored data set; the file meta information, which names the last sender, does not change it."""
        return hashlib.sha256(self.content).hexdigest()


def read_image_file(path: Path) -> ImageFile:
    """Read a file up to its pixels, and make sure that all pixels are there.

    Raises
    ------
    Refusal
        As ``dicom_io.source.header.read_headers``.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refuse("not-dicom", detail=type(error).__name__) from None
    dataset, pixels_at = _parse(content)
    elements = Elements(dataset)
    _check_kind(elements)
    frames = elements.integer("NumberOfFrames") or 1
    _check_pixel_format(elements)
    _check_lossless(elements, str(dataset.file_meta.TransferSyntaxUID))
    value_at = _check_pixel_length(dataset, content, pixels_at, frames)
    return ImageFile(
        dataset=dataset,
        content=memoryview(content)[_dataset_start(dataset) :],
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        frames=frames,
        native=native_pixels(dataset, value_at),
    )


def _parse(content: bytes) -> tuple[FileDataset, int]:
    """Read up to Pixel Data; also where in ``content`` Pixel Data starts (-1 if it is deflated)."""
    stream = io.BytesIO(content)
    try:
        with tolerant():
            dataset = dcmread(stream, stop_before_pixels=True)
            if dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
                return dcmread(io.BytesIO(content)), -1
            if not dataset.file_meta.TransferSyntaxUID.is_transfer_syntax:
                raise ValueError
    except Exception as error:  # the parser raises nearly anything on damaged input
        raise refuse("not-dicom", detail=type(error).__name__) from None
    return dataset, stream.tell()


def _dataset_start(dataset: FileDataset) -> int:
    """Offset of the data set: preamble and prefix, group length element, the group (PS3.10 §7.1)."""
    length = dataset.file_meta.get("FileMetaInformationGroupLength")
    return 132 + 12 + length if isinstance(length, int) else 0


def _check_kind(elements: Elements) -> None:
    if is_own_output(elements):
        raise refuse("own-output")
    sop_class = elements.text("SOPClassUID")
    if sop_class != MRImageStorage and sop_class not in MULTI_FRAME_CLASSES:
        raise refuse("not-mr-image", found=sop_class or "missing")
    image_type = elements.texts("ImageType")
    if "DERIVED" in image_type[:1] or "SECONDARY" in image_type[1:2]:
        raise refuse("derived", found="\\".join(image_type[:2]))
    if not _TILED.isdisjoint(image_type):
        raise refuse("mosaic")
    if "EP" in elements.texts("ScanningSequence") or elements.text("EchoPlanarPulseSequence") == "YES":
        raise refuse("epi")
    for attribute in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        if not elements.text(attribute):
            raise refuse("no-identity", attribute=attribute)
    frames = elements.integer("NumberOfFrames") or 1
    if sop_class == MRImageStorage and frames != 1:
        raise refuse("unsupported-frames", detail=f"MR Image Storage with {frames} frames")


def _check_pixel_format(elements: Elements) -> None:
    found: dict[str, object] = {
        "SamplesPerPixel": elements.integer("SamplesPerPixel"),
        "PhotometricInterpretation": elements.text("PhotometricInterpretation"),
        "BitsAllocated": elements.integer("BitsAllocated"),
    }
    for attribute, value in _PIXEL_FORMAT.items():
        if found[attribute] != value:
            stated = f"{attribute} {found[attribute] or 'missing'}"
            raise refuse("unsupported-pixels", found=stated, expected=f"{attribute} {value}")
    if not 1 <= (elements.integer("BitsStored") or 0) <= 16:
        raise refuse("unsupported-pixels", found="BitsStored not in 1 to 16", expected="BitsStored 12 or 16")
    if elements.integer("PixelRepresentation") not in (0, 1):
        raise refuse("unsupported-pixels", found="PixelRepresentation missing", expected="PixelRepresentation 0 or 1")
    if min(elements.integer("Rows") or 0, elements.integer("Columns") or 0) < 1:
        raise refuse("unsupported-pixels", found="Rows or Columns missing", expected="an image matrix")


def _check_lossless(elements: Elements, transfer_syntax_uid: str) -> None:
    """Refuse pixels that lost information, now or in an earlier compression (PS3.3 C.7.6.1.1.5)."""
    stated = elements.text("LossyImageCompression")
    if stated == "01":
        raise refuse("lossy", found="LossyImageCompression 01")
    if transfer_syntax_uid in _LOSSY or (transfer_syntax_uid in _MAYBE_LOSSY and stated != "00"):
        raise refuse("lossy", found=UID(transfer_syntax_uid).name)


def _check_pixel_length(dataset: FileDataset, content: bytes, pixels_at: int, frames: int) -> int | None:
    """Refuse pixels that are not all there; return where they begin if they are not compressed."""
    elements, syntax, value_at = Elements(dataset), dataset.file_meta.TransferSyntaxUID, None
    expected = 2 * frames * (elements.integer("Rows") or 0) * (elements.integer("Columns") or 0)
    if pixels_at < 0:
        found = len(dataset.get("PixelData") or b"")
    elif syntax.is_encapsulated:
        complete = content.find(_SEQUENCE_DELIMITER, pixels_at) >= 0
        found = max(0, len(content) - pixels_at - 12)
        found, expected = (expected, expected) if complete else (found, max(expected, found + 8))
    else:
        value_at, found = uncompressed_value(content, pixels_at, syntax)
    if found < expected:
        raise refuse("truncated", found=found, expected=expected)
    return value_at
