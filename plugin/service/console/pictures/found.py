"""What there is to see of a job, and in words what there is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from fastapi import HTTPException

from dicom_io.derived.products import SWI
from plugin.config.settings import Settings
from plugin.intake.index import existing_index
from plugin.jobs.job import REPORT_FILE
from plugin.jobs.pictures import StoredPictures, read_picture

CONTRASTS: Final = {"magnitude": "Magnitude", "field": "Total field", "qsm": "QSM", "swi": "SWI"}
"""Pictures by the keys 1 to 4, and their titles."""

OTHER_WINDOW: Final = {"qsm": "qsm-wide", "qsm-wide": "qsm"}
"""The same contrast in its other window."""

_BURNT: Final = {"failed": "FAILED: do not read this map", "degraded": "DEGRADED: read with care"}
"""Words across the pictures of a map that is not good."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A job that the index knows: its folder, its report, and the pictures that the report names."""

    folder: Path
    report: Mapping[str, Any]
    pictures: StoredPictures | None


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A contrast with its key; ``missing`` says why there is no picture of it."""

    key: int
    name: str
    title: str
    missing: str = ""


def find(settings: Settings, job: str) -> Found:
    """Return what is known of a job; no name that the index does not know becomes a path."""
    with closing(existing_index(settings)) as index:
        if not index.is_job(job):
            raise HTTPException(404)
    folder = settings.spool / "jobs" / job
    try:
        report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        report = {}
    return Found(folder=folder, report=report, pictures=StoredPictures.of(report))


def open_volume(found: Found, volume: str) -> tuple[npt.NDArray[np.uint8], str]:
    """Map a volume into memory, and name the version of its file; the report says where it is, no address does."""
    if found.pictures is None or volume not in found.pictures.volumes:
        raise HTTPException(404)
    path = found.folder / found.pictures.volumes[volume].file
    try:
        return read_picture(path), str(path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        raise HTTPException(404) from error


def burnt_in(pictures: StoredPictures) -> str:
    """Return the words across the pictures; none for a good map."""
    return _BURNT.get(pictures.verdict, "")


def described(found: Found, pictures: StoredPictures) -> dict[str, dict[str, str]]:
    """Return of each volume its title, what is black and white in it, and its version, for the page and its script."""
    shown = {}
    for name, stored in pictures.volumes.items():
        low, high = stored.window
        ends = [f"{end:+.0f} {stored.unit}".replace("-", "−") for end in (low, high)]
        low_text, high_text = ends if stored.unit else ("0", "bright end of the brain")
        title = CONTRASTS["qsm" if name in OTHER_WINDOW else name]
        shown[name] = {"title": title, "low": low_text, "high": high_text, "version": open_volume(found, name)[1]}
    return shown


def contrasts(found: Found, pictures: StoredPictures, settings: Settings) -> Iterator[Contrast]:
    """Yield the contrasts in the order of their keys."""
    for key, (name, title) in enumerate(CONTRASTS.items(), start=1):
        missing = "" if name in pictures.volumes else _why_missing(name, found.report, settings)
        yield Contrast(key=key, name=name, title=title, missing=missing)


def reasons(found: Found) -> list[str]:
    """Return the reasons of the verdict on the map, also of one that was withheld."""
    made = found.report.get("failed_map") or found.report
    return list(made["verdict"]["reasons"])


def why_none(found: Found) -> str:
    """Say why a job has no pictures."""
    if "refused" in found.report:
        return f"No map was made. {found.report['refused']['reason']}"
    if "verdict" in found.report:
        return "This job was run by a version that made no pictures."
    return "There are no pictures yet: they are written together with the map. If the job failed, its series says why."


def _why_missing(name: str, report: Mapping[str, Any], settings: Settings) -> str:
    if name != SWI:
        return "not made"
    if reason := report.get("not_made", {}).get(SWI):
        return str(reason)
    return "not made yet" if settings.objects.root[SWI] else "switched off in [objects]"
