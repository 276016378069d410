"""Stored values of images, decoded but not rescaled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_io.objects.elements import Elements
from dicom_io.objects.tolerance import tolerant

Stored = npt.NDArray[Any]


def decode(path: Path, *, deflated: bool) -> Stored:
    """Decode a file: ``(row, column)``, or ``(frame, row, column)`` for several frames.

    Decoders raise nearly anything on damaged pixel data.

    Parameters
    ----------
    path
        The file.
    deflated
        Whether it has to be read as a whole; else the decoder reads the pixels alone.
    """
    with tolerant():
        source: Path | Dataset = dcmread(path) if deflated else path
        return pixel_array(source, raw=True)


@dataclass(frozen=True, kw_only=True)
class Native:
    """Where uncompressed stored values lie in a file, so that nothing has to be parsed to read them.

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


def native_pixels(dataset: Dataset, pixels_at: int) -> Native | None:
    """Find the stored values of a file; None if they are compressed.

    Parameters
    ----------
    dataset
        All elements before Pixel Data, of an object with 16 bits allocated.
    pixels_at
        Where the element Pixel Data begins; negative if it does in no file.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if pixels_at < 0 or syntax.is_encapsulated:
        return None
    elements = Elements(dataset)
    sign = "i" if elements.integer("PixelRepresentation") == 1 else "u"
    return Native(
        offset=pixels_at + (8 if syntax.is_implicit_VR else 12),
        dtype=f"{'<' if syntax.is_little_endian else '>'}{sign}2",
        bits_stored=elements.integer("BitsStored") or 16,
    )


def read_native(path: Path, native: Native, rows: int, columns: int, frame: int) -> Stored:
    """Read one frame of uncompressed values, ``(row, column)``.

    Raises
    ------
    OSError, ValueError
        The file cannot be read, or is too short.
    """
    count = rows * columns
    stored = np.fromfile(path, native.dtype, count, offset=native.offset + 2 * count * frame).reshape(rows, columns)
    if unused := 16 - native.bits_stored:  # as pydicom does: the highest bit that is used is the sign
        np.left_shift(stored, unused, out=stored)
        np.right_shift(stored, unused, out=stored)
    return stored


def stored_values(path: Path, frame: int) -> Stored | None:
    """Decode one frame, ``(row, column)``; None if that is not possible."""
    try:
        with tolerant():
            syntax = dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
            if syntax == DeflatedExplicitVRLittleEndian:
                stored = decode(path, deflated=True)
                return stored[frame] if stored.ndim == 3 else stored
            return pixel_array(path, raw=True, index=frame)
    except Exception:  # said when the images are read; here the unit just stays unknown
        return None
