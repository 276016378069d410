"""Series numbers that a study is known to hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydicom import dcmread

from dicom_io.identity import is_own_output
from dicom_io.source.elements import Elements
from dicom_io.source.folder import FolderScan
from dicom_io.source.tolerance import tolerant

_NEEDED: Final = ["SeriesNumber", "InstanceCreatorUID", "SoftwareVersions"]


def series_numbers_of(paths: Iterable[Path]) -> set[int]:
    """Read SeriesNumber of objects that are no source of a map: reformats, localizers, reports.

    What this software made is left out: a result that comes back must not move the numbers of its repetition.

    Parameters
    ----------
    paths
        Files; those that are no DICOM count for nothing.
    """
    numbers = set()
    for path in paths:
        try:
            with tolerant():
                elements = Elements(dcmread(path, specific_tags=list(_NEEDED), stop_before_pixels=True))
        except Exception:  # the parser raises nearly anything on what is no DICOM
            continue
        number = elements.integer("SeriesNumber")
        if number is not None and not is_own_output(elements):
            numbers.add(number)
    return numbers


def used_series_numbers(scan: FolderScan) -> set[int]:
    """Return the series numbers of everything in a folder, of whatever study: one too many does no harm."""
    used = {header.series_number for one in scan.acquisitions for header in one.headers}
    return {number for number in used if number is not None} | series_numbers_of(path for path, _ in scan.ignored)
