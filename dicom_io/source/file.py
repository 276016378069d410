"""A file's data set without its pixels, checked to be a complete MR image."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import read_partial
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from dicom_io.identity import is_own_output
from dicom_io.refusals import refuse
from dicom_io.source.elements import Elements, tolerant
from dicom_io.source.enhanced import classic_frames
from dicom_io.source.pixels import Native, native_pixels, uncompressed_value

MULTI_FRAME_CLASSES: Final = frozenset({EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage})
_LOSSY: Final = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit})
_MAYBE_LOSSY: Final = frozenset({JPEGLSNearLossless, JPEG2000, HTJ2K})
"""Syntaxes for both; their images are accepted only if they state that nothing was lost."""

_PIXEL_FORMAT: Final = {
    "SamplesPerPixel": (1,),
    "PhotometricInterpretation": ("MONOCHROME2",),
    "BitsAllocated": (16,),
    "PixelRepresentation": (0, 1),
}
_TILED: Final = frozenset({"MOSAIC", "VFRAME"})
"""Values of ImageType of a volume tiled into one image: Siemens', United Imaging's."""

_BARE: Final = (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08")
"""How a DICOM file without preamble begins: with an element of group 0002 or 0008, of either byte order."""

_LARGEST_INFLATED: Final = 2**30
"""Largest data set, in bytes, that a deflated one may be."""

_HEAD: Final = 2048
_PIECE: Final = 2**20

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

    def images(self) -> Iterator[Dataset]:
        """Yield the image, or each frame as the classic image it would be; errors as in ``classic_frames``."""
        if Elements(self.dataset).text("SOPClassUID") in MULTI_FRAME_CLASSES:
            yield from classic_frames(self.dataset, self.frames)
        else:
            yield self.dataset

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
    elements, syntax = Elements(dataset), str(dataset.file_meta.TransferSyntaxUID)
    frames = elements.integer("NumberOfFrames") or 1
    _check_kind(elements, frames)
    _check_pixel_format(elements)
    _check_lossless(elements, syntax)
    value_at = _check_pixel_length(dataset, content, pixels_at, frames)
    return ImageFile(
        dataset=dataset,
        content=memoryview(content)[_dataset_start(dataset) :],
        transfer_syntax_uid=syntax,
        frames=frames,
        native=native_pixels(dataset, value_at),
    )


def _parse(content: bytes) -> tuple[FileDataset, int]:
    """Read up to Pixel Data; also where in ``content`` Pixel Data starts (-1 if it is deflated).

    Files without preamble, and bare data sets, are read too; their encoding shows in their first element.
    """
    stream = io.BytesIO(content)
    _check_inflated_size(content)
    try:
        with tolerant():
            dataset = dcmread(stream, stop_before_pixels=True, force=content.startswith(_BARE))
            _state_encoding(dataset)
            if dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
                return dcmread(io.BytesIO(content), force=True), -1
    except Exception as error:  # the parser raises nearly anything on damaged input
        _check_transfer_syntax(_meta_syntax(content))
        raise refuse("not-dicom", detail=type(error).__name__) from None
    _check_transfer_syntax(dataset.file_meta.TransferSyntaxUID)
    return dataset, stream.tell()


def _check_inflated_size(content: bytes) -> None:
    """Refuse a deflated data set that inflates to more than an image can be, before the library inflates all of it."""
    if DeflatedExplicitVRLittleEndian.encode() not in content[:_HEAD] or content[128:132] != b"DICM":
        return
    position, inflated = 144 + int.from_bytes(content[140:144], "little"), 0
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while position < len(content) or inflater.unconsumed_tail:
        piece = inflater.unconsumed_tail or content[position : position + _PIECE]
        position += 0 if inflater.unconsumed_tail else _PIECE
        try:
            inflated += len(inflater.decompress(piece, _PIECE))
        except zlib.error as error:
            raise refuse("not-dicom", detail=type(error).__name__) from None
        if inflated > _LARGEST_INFLATED:
            raise refuse("inflates-too-much", limit=_LARGEST_INFLATED // 2**20)
        if inflater.eof:
            return


def _state_encoding(dataset: FileDataset) -> None:
    """Give a data set without a stated transfer syntax the one in which it was read."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        if "SOPClassUID" not in dataset:
            raise ValueError("not a data set of an object")
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    if not isinstance(dataset.file_meta.TransferSyntaxUID, UID):
        raise TypeError("not one transfer syntax")


def _meta_syntax(content: bytes) -> UID | None:
    """Read the transfer syntax of a file whose data set cannot be read; None if there is none."""
    try:
        with tolerant():
            meta = read_partial(io.BytesIO(content), stop_when=lambda *_: True).file_meta
    except Exception:  # the parser raises nearly anything on damaged input
        return None
    found = meta.get("TransferSyntaxUID")
    return UID(str(found)) if found else None


def _check_transfer_syntax(syntax: UID | None) -> None:
    if syntax is not None and not syntax.is_transfer_syntax:
        raise refuse("unknown-transfer-syntax", found=syntax if syntax.is_valid else "with an invalid UID")


def _dataset_start(dataset: FileDataset) -> int:
    """Offset of the data set: preamble and prefix, group length element, the group (PS3.10 §7.1)."""
    length = dataset.file_meta.get("FileMetaInformationGroupLength")
    return (132 if dataset.preamble else 0) + 12 + length if isinstance(length, int) else 0


def _check_kind(elements: Elements, frames: int) -> None:
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
    for attribute in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        if not elements.text(attribute):
            raise refuse("no-identity", attribute=attribute)
    if sop_class == MRImageStorage and frames != 1:
        raise refuse("unsupported-frames", detail=f"MR Image Storage with {frames} frames")


def _check_pixel_format(elements: Elements) -> None:
    for attribute, accepted in _PIXEL_FORMAT.items():
        is_text = attribute == "PhotometricInterpretation"
        found = (elements.text(attribute) or None) if is_text else elements.integer(attribute)
        if found not in accepted:
            stated, expected = "missing" if found is None else found, " or ".join(map(str, accepted))
            raise refuse("unsupported-pixels", found=f"{attribute} {stated}", expected=f"{attribute} {expected}")
    if not 1 <= (elements.integer("BitsStored") or 0) <= 16:
        raise refuse("unsupported-pixels", found="BitsStored not in 1 to 16", expected="BitsStored 12 or 16")
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
