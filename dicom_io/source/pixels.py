"""Stored values of images, decoded but not rescaled."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from dicom_io.refusals import refuse
from dicom_io.source.elements import Elements, tolerant

Stored = npt.NDArray[Any]

_UNDEFINED: Final = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class Native:
    """Where uncompressed stored values are in a file, so that they can be read without parsing it.

    Parameters
    ----------
    offset
        Of the value of Pixel Data, in bytes.
    dtype
        NumPy's name of the stored type, such as ``"<u2"``.
    bits_stored
        BitsStored; the bits above may hold anything.
    """

    offset: int
    dtype: str
    bits_stored: int


def uncompressed_value(content: bytes, pixels_at: int, syntax: UID) -> tuple[int, int]:
    """Return where the value of Pixel Data begins in a file's content, and how many bytes of it there are.

    The element begins at ``pixels_at``; where there is none, its value is empty.

    Raises
    ------
    Refusal
        ``unsupported-pixels``: the element is encoded in another way; its values would be read shifted.
    """
    order = "<" if syntax.is_little_endian else ">"
    start = pixels_at + (8 if syntax.is_implicit_VR else 12)
    head = content[pixels_at:start]
    if len(head) < start - pixels_at or struct.unpack_from(order + "HH", head) != (0x7FE0, 0x0010):
        return start, 0
    (length,) = struct.unpack_from(order + "I", head, len(head) - 4)
    # As the low half of a length, these letters would be an odd number.
    states_vr = head[4:6] in (b"OB", b"OW", b"UN")
    if states_vr == syntax.is_implicit_VR or length == _UNDEFINED:
        found = "an undefined length" if length == _UNDEFINED else "Pixel Data of another encoding"
        raise refuse("unsupported-pixels", found=found, expected=f"Pixel Data as in {syntax.name}")
    return start, min(length, len(content) - start)


def native_pixels(dataset: Dataset, value_at: int | None) -> Native | None:
    """Say how the stored 16-bit values that begin at ``value_at`` are read; None if they are compressed."""
    if value_at is None:
        return None
    elements, syntax = Elements(dataset), dataset.file_meta.TransferSyntaxUID
    sign = "i" if elements.integer("PixelRepresentation") == 1 else "u"
    return Native(
        offset=value_at,
        dtype=f"{'<' if syntax.is_little_endian else '>'}{sign}2",
        bits_stored=elements.integer("BitsStored") or 16,
    )


def read_native(path: Path, native: Native, rows: int, columns: int, frame: int) -> Stored:
    """Read one frame of uncompressed values, ``(row, column)``; a ``ValueError`` if the file is too short."""
    count = rows * columns
    stored = np.fromfile(path, native.dtype, count, offset=native.offset + 2 * count * frame).reshape(rows, columns)
    if unused := 16 - native.bits_stored:  # as pydicom does: the highest bit that is used is the sign
        np.left_shift(stored, unused, out=stored)
        np.right_shift(stored, unused, out=stored)
    return stored


def decode(path: Path, transfer_syntax_uid: str, frame: int | None = None) -> Stored:
    """Decode one frame of a file, ``(row, column)``, or all of them, ``(frame, row, column)`` if there are several.

    Decoders raise nearly anything on damaged pixel data.
    """
    with tolerant():
        # A deflated file has to be read as a whole; else the decoder reads the pixels alone.
        deflated = transfer_syntax_uid == DeflatedExplicitVRLittleEndian
        source: Path | Dataset = dcmread(path, force=True) if deflated else path
        return pixel_array(source, raw=True, index=frame)
