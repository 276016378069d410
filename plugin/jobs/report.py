"""``report.json``: how a result was made, how far it can be trusted, which series there are; no patient data."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dicom_io.derived.products import PRODUCTS, QSM, QSM_ENHANCED, REFUSAL_PAGE
from dicom_io.derived.series_files import WrittenSeries
from dicom_io.source.notes import notes_of
from plugin.jobs.job import Job
from plugin.jobs.products import Made
from recon.types import Reconstruction


def report_of(job: Job, result: Reconstruction, seconds: dict[str, float]) -> dict[str, Any]:
    """Describe how a map was made and how far it can be trusted; its series are added by ``with_series``."""
    acquisition = job.acquisition
    return {
        "acquisition": acquisition.key,
        "vendor": acquisition.vendor,
        "images": len(job.headers),
        "created": job.created.isoformat(),
        "revision": job.revision,
        "reference": result.susceptibility.reference,
        "verdict": dataclasses.asdict(result.verdict),
        "expected_error": expected_error_of(result),
        "figures": {**result.total_field.figures, **result.figures},
        "warnings": list(dict.fromkeys((*notes_of(acquisition), *result.total_field.warnings, *result.warnings))),
        "seconds": _rounded(seconds),
        "provenance": json.loads(json.dumps(dataclasses.asdict(result.provenance))),
        "series": [],
        "not_made": {},
        "files": [],
    }


def expected_error_of(result: Reconstruction) -> dict[str, Any] | None:
    """Return the error to be expected of a map, to 0.1 ppb; None where it is not known."""
    error = result.expected_error
    if error is None:
        return None
    return {
        "brain_ppb": round(error.brain_ppb, 1),
        "bound_ppb": round(error.bound_ppb, 1),
        "nuclei_ppb": {name: round(value, 1) for name, value in error.nuclei_ppb.items()},
    }


def failed_map_in(path: Path) -> dict[str, Any] | None:
    """Return the report of a map that was made before the job failed, from the job's report; None if none was."""
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if "verdict" in report else report.get("failed_map")


def refusal_report(
    job: Job, code: str, reason: str, written: WrittenSeries, folder: Path, failed_map: dict[str, Any] | None
) -> dict[str, Any]:
    """Describe why no map is delivered, and the page that says so at the console."""
    return {
        "images": len(job.headers),
        "created": job.created.isoformat(),
        "revision": job.revision,
        "refused": {"code": code, "reason": reason},
        "series": [_series(REFUSAL_PAGE, written, folder)],
        "files": _files(written, folder),
        **({"failed_map": failed_map} if failed_map else {}),
    }


def with_series(report: dict[str, Any], made: Made, folder: Path, *, timed: bool = True) -> dict[str, Any]:
    """Add to a report the series that were made, why others were not, and how long each took if ``timed``."""
    series = [_series(name, one, folder) for name, written in made.series.items() for one in written]
    named = ((name, text) for name, written in made.series.items() for one in written for text in one.warnings)
    warnings = [text if name == QSM else f"{name}: {text}" for name, text in named]
    return {
        **report,
        "warnings": list(dict.fromkeys((*report["warnings"], *warnings))),
        "seconds": {**report["seconds"], **_rounded(made.seconds if timed else {})},
        "series": [*report["series"], *series],
        "not_made": {**report["not_made"], **made.missing},
        "files": sorted({*report["files"], *(name for one in series for name in one["files"])}),
    }


def files_for(series: Sequence[Mapping[str, Any]], objects: Sequence[str] | None, part: str) -> list[str]:
    """Choose the files of a delivery to a destination, relative to the job's folder.

    ``objects`` is what the destination is to get; None for all, of which an Enhanced MR object then stands for the
    classic images of the same map. ``part`` is as in the product table.
    """
    if objects is None:
        names = {one["object"] for one in series}
        objects = [name for name in names if not (name == QSM and QSM_ENHANCED in names)]
    chosen = (one for one in series if one["object"] in objects and PRODUCTS[one["object"]].part == part)
    return [name for one in chosen for name in one["files"]]


def _series(name: str, written: WrittenSeries, folder: Path) -> dict[str, Any]:
    return {
        "object": name,
        "series_number": written.series_number,
        "description": written.description,
        "sop_class_uid": written.sop_class_uid,
        "clipped": written.clipped,
        "files": _files(written, folder),
    }


def _files(written: WrittenSeries, folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in written.paths]


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {step: round(value, 3) for step, value in seconds.items()}
