"""Series numbers next to the source's that no other series of the study has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from pydicom import dcmread

from dicom_io.derived.products import SERIES_NAMES
from dicom_io.identity import is_own_output
from dicom_io.source.elements import Elements
from dicom_io.source.folder import FolderScan
from dicom_io.source.tolerance import tolerant

_NEEDED: Final = ["SeriesNumber", "InstanceCreatorUID", "SoftwareVersions"]
_PER_SERIES: Final = 100
_PER_REVISION: Final = 20
_LARGEST: Final = 2**31 - 1


def series_numbers(source: int | None, *, used: Collection[int], revision: int = 1) -> Mapping[str, int]:
    """Give each derived series of an acquisition a number, in the order of the product table.

    Series 5 has 501 for the first, 502 for the next and so on; a second revision begins at 521. A number that
    another series of the study has is left out. The numbers depend on nothing else, so a repetition gives the
    same ones, whichever of the series are written.

    Parameters
    ----------
    source
        SeriesNumber of the source; None if it has none.
    used
        Numbers of the study's other series.
    revision
        Counts up from 1.
    """
    base = (source or 0) * _PER_SERIES
    if not 0 <= base < _LARGEST - 100 * _PER_SERIES:
        base = (source or 0) % 10_000_000 * _PER_SERIES
    first = base + 1 + (revision - 1) * _PER_REVISION % (_PER_SERIES - _PER_REVISION)
    numbers: dict[str, int] = {}
    number = first
    for name in SERIES_NAMES:
        while number in used:
            number += 1
        numbers[name] = number
        number += 1
    return numbers


def series_numbers_of(paths: Iterable[Path]) -> set[int]:
    """Read SeriesNumber of files that are not sources of a map: reformats, localizers, reports.

    What this software made is left out, since a result that comes back must not move the numbers of its repetition;
    so is what is not DICOM.
    """
    numbers = set()
    for path in paths:
        try:
            with tolerant():
                elements = Elements(dcmread(path, specific_tags=list(_NEEDED), stop_before_pixels=True))
        except Exception:  # the parser raises nearly anything on what is not DICOM
            continue
        number = elements.integer("SeriesNumber")
        if number is not None and not is_own_output(elements):
            numbers.add(number)
    return numbers


def used_series_numbers(scan: FolderScan) -> set[int]:
    """Return the series numbers of everything in a folder, of whatever study: one too many does no harm."""
    used = {header.series_number for one in scan.acquisitions for header in one.headers}
    return {number for number in used if number is not None} | series_numbers_of(path for path, _ in scan.ignored)
