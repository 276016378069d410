"""All acquisitions in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dicom_io.errors import Refusal
from dicom_io.refusals import refuse
from dicom_io.source.acquisition.grouping import Acquisition, group_acquisitions
from dicom_io.source.attributes import Patterns
from dicom_io.source.header import NO_PATTERNS, ImageHeader, read_headers


@dataclass(frozen=True, kw_only=True)
class FolderScan:
    """What a folder holds.

    Parameters
    ----------
    acquisitions
        Images that belong together, whether or not they can be reconstructed.
    ignored
        Files that are not MR source images, each with the reason.
    """

    acquisitions: tuple[Acquisition, ...]
    ignored: tuple[tuple[Path, Refusal], ...]


def find_acquisitions(
    folder: Path,
    *,
    patterns: Patterns = NO_PATTERNS,
    prepare: Callable[[tuple[ImageHeader, ...]], tuple[ImageHeader, ...]] = tuple,
) -> FolderScan:
    """Read the headers of all files below a folder and group them.

    Parameters
    ----------
    folder
        Searched recursively; hidden files and folders are left out.
    patterns
        The site's patterns to look for in texts (``ImageHeader.labels``).
    prepare
        What the site adds to the headers of a file.

    Raises
    ------
    Refusal
        ``not-dicom``: there is no such folder.
    """
    if not folder.is_dir():
        raise refuse("not-dicom", detail="no such folder")
    headers: list[ImageHeader] = []
    ignored: list[tuple[Path, Refusal]] = []
    for path in _files(folder):
        try:
            headers += prepare(read_headers(path, patterns))
        except Refusal as reason:
            ignored.append((path, reason))
    return FolderScan(acquisitions=group_acquisitions(headers), ignored=tuple(ignored))


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent) / name for name in sorted(names) if not name.startswith(".")]
    return found
