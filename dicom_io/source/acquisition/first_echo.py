"""The images of the first echo, one by one, for somebody who wants to see what came; nothing is assumed of the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_io.errors import Refusal
from dicom_io.refusals import refuse
from dicom_io.source.geometry import position_mm
from dicom_io.source.header import ImageHeader
from dicom_io.source.pixels import Stored, decode, read_native

OTHER: Final = "other"
"""Name of images that are not a component of the complex signal."""

_MOST_PIXELS: Final = 4096**2
"""Of one image: what is decoded of it stays below 64 MiB."""


def first_echo(headers: Iterable[ImageHeader]) -> Mapping[str, tuple[ImageHeader, ...]]:
    """Return the images of the first echo of each component, by its name, along the slice normal as far as known.

    Images of a component without echo times all count as its first echo.
    """
    by_component: dict[str, list[ImageHeader]] = defaultdict(list)
    for header in headers:
        by_component[str(header.component or OTHER)].append(header)
    found = {}
    for name in sorted(by_component, key=_place):
        images = by_component[name]
        first_s = min((one.echo_time_s for one in images if one.echo_time_s is not None), default=None)
        of_first = [one for one in images if one.echo_time_s == first_s]
        found[name] = tuple(sorted(of_first, key=_along_normal))
    return found


def stored_image(header: ImageHeader, *, root: Path) -> Stored:
    """Decode the stored values of one image, ``(row, column)``, without unit; its path is relative to ``root``.

    Raises
    ------
    Refusal
        ``unreadable-pixels``: the file is gone or damaged, or decoding it would take too much memory.
    """
    path = root / header.path
    if header.rows * header.columns > _MOST_PIXELS or header.transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        raise refuse("unreadable-pixels", detail="too large to decode one image of it")
    try:
        if header.native is not None:
            return read_native(path, header.native, header.rows, header.columns, header.frame)
        return decode(path, header.transfer_syntax_uid, header.frame)
    except Exception as error:  # decoders raise nearly anything on damaged pixel data
        raise refuse("unreadable-pixels", detail=type(error).__name__) from None


def _place(name: str) -> int:
    return ("magnitude", "phase", "real", "imaginary", OTHER).index(name)


def _along_normal(header: ImageHeader) -> tuple[float, int, int]:
    try:
        height_mm = position_mm(header)[2]
    except Refusal:
        height_mm = 0.0
    return height_mm, header.instance_number or 0, header.frame
