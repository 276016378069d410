"""All acquisitions in a folder."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from dicom_io.errors import Refusal
from dicom_io.refusals import refuse
from dicom_io.source.acquisition.grouping import Acquisition, group_acquisitions
from dicom_io.source.attributes import Patterns
from dicom_io.source.header import NO_PATTERNS, ImageHeader, read_headers

_MANY: Final = 400
"""Files from which several processes pay off."""

_MOST_WORKERS: Final = 8

_DAMAGED: Final = frozenset({"lossy", "unsupported-pixels", "unsupported-frames", "truncated"})
_OTHER_HALF: Final = {"no-phase": _DAMAGED, "no-magnitude": _DAMAGED | {"derived"}}
"""Codes of skipped files that may be the other half; derived images beside magnitude are seldom its phase."""

_Read = tuple[ImageHeader, ...] | dict[str, str]
"""Headers of a file, or code and message of why it is skipped."""


@dataclass(frozen=True, kw_only=True)
class FolderScan:
    """What a folder holds.

    Parameters
    ----------
    acquisitions
        Images that belong together, whether or not they can be reconstructed.
    skipped
        Files that are not MR source images, each with the reason.
    """

    acquisitions: tuple[Acquisition, ...]
    skipped: tuple[tuple[Path, Refusal], ...]


def find_acquisitions(
    folder: Path,
    *,
    patterns: Patterns = NO_PATTERNS,
    prepare: Callable[[tuple[ImageHeader, ...]], tuple[ImageHeader, ...]] = tuple,
) -> FolderScan:
    """Read the headers of all files below a folder and group them; hidden files and folders are left out.

    ``patterns`` are the site's, to look for in texts (``ImageHeader.labels``); ``prepare`` adds what the site knows to
    the headers of a file.

    Raises
    ------
    Refusal
        ``not-dicom``: there is no such folder.
    """
    if not folder.is_dir():
        raise refuse("not-dicom", detail="no such folder")
    headers: list[ImageHeader] = []
    skipped: list[tuple[Path, Refusal]] = []
    paths = _files(folder)
    for path, read in zip(paths, _read_all(paths, patterns), strict=True):
        if isinstance(read, tuple):
            headers += prepare(read)
        else:
            skipped.append((path, Refusal(**read)))
    acquisitions = tuple(_beside(acquisition, skipped) for acquisition in group_acquisitions(headers))
    return FolderScan(acquisitions=acquisitions, skipped=tuple(skipped))


def _beside(acquisition: Acquisition, skipped: Sequence[tuple[Path, Refusal]]) -> Acquisition:
    """Say of magnitude or phase alone that files beside it were skipped, which may be the other half, and why."""
    found = acquisition.completeness.reason
    codes = _OTHER_HALF.get(found.code, frozenset()) if found else frozenset()
    reasons = Counter(reason.message for _, reason in skipped if reason.code in codes)
    if not reasons:
        return acquisition
    ((message, count),) = reasons.most_common(1)
    half = " and ".join(sorted({header.component for header in acquisition.headers if header.component}))
    return replace(acquisition, doubt=refuse("half-skipped", found=half, count=count, reason=message))


def _read_all(paths: Sequence[Path], patterns: Patterns) -> Iterator[_Read]:
    """Read the headers of files in order, of many files in several processes.

    Processes are forked, since a new interpreter starts as slowly as hundreds of headers are read; a process that runs
    threads is not forked.
    """
    read = partial(_read, patterns=dict(patterns))
    workers = min(len(os.sched_getaffinity(0)), _MOST_WORKERS) if sys.platform == "linux" else 1
    if len(paths) < _MANY or workers < 2 or threading.active_count() > 1:
        yield from map(read, paths)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        yield from pool.map(read, paths, chunksize=_MANY // 8)


def _read(path: Path, *, patterns: Patterns) -> _Read:
    try:
        return read_headers(path, patterns)
    except Refusal as reason:
        return {"code": reason.code, "message": reason.message}


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent) / name for name in sorted(names) if not name.startswith(".")]
    return found
