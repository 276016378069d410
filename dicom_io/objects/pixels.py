"""Stored values of images, decoded but not rescaled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian

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
