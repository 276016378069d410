"""The acquisitions in a folder, reconstructed at a desk by the service's own steps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dicom_io.derived.context.series_number import used_series_numbers
from dicom_io.derived.context.source_series import reserved_series_numbers
from dicom_io.derived.products import SERIES_NAMES
from dicom_io.errors import DicomError, Refusal
from dicom_io.source.acquisition.completeness import assess
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.folder import find_acquisitions
from plugin.config.settings import Settings
from plugin.config.site import with_field
from plugin.errors import ConfigurationError, JobFailedError
from plugin.jobs.job import QSM_FOLDER, REPORT_FILE, Job
from plugin.jobs.mask_file import check_mask
from plugin.jobs.place import WORK_FOLDER, Place
from plugin.jobs.workflow import Wanted, make, quality_failure
from recon.errors import InvalidInputError, ReconError


def reconstruct_folder(
    folder: Path, output: Path, wanted: Wanted, site: Settings, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Reconstruct every complete acquisition in a folder; one that fails does not keep the others back.

    A single acquisition goes to ``output``, several to a folder each below it. Of a map that failed its quality check
    there is the report alone, unless it is kept. Of the site, magnets and limit of size are used. Returns JSON values:
    the outcome of each of the ``"acquisitions"``, and the files that were ``"ignored"``.

    Raises
    ------
    ConfigurationError
        The mask cannot be read, or an output folder holds a map that no earlier run made.
    """
    if wanted.mask is not None:
        check_mask(wanted.mask)
    progress("finding acquisitions")
    scan = find_acquisitions(folder, prepare=partial(with_field, calling_ae="", magnets=site.magnets))
    found = [(acquisition, assess(acquisition, largest_gib=site.largest_gib)) for acquisition in scan.acquisitions]
    ready = [acquisition for acquisition, completeness in found if completeness.state == "complete"]
    outcomes = [_refused(a, one.reason, one.missing) for a, one in found if one.state != "complete"]
    places = [output if len(ready) == 1 else output / _name(acquisition) for acquisition in ready]
    for place in places:
        _check_place(place)
    used = used_series_numbers(scan)
    for acquisition, place in zip(ready, places, strict=True):
        outcomes.append(_reconstruct(acquisition, place, wanted, used, progress))
        used |= reserved_series_numbers(acquisition, revision=1, used=used)
    ignored = [{"file": str(p), "code": reason.code, "reason": reason.message} for p, reason in scan.skipped]
    return {"acquisitions": outcomes, "ignored": ignored}


def _reconstruct(
    acquisition: Acquisition, place: Path, wanted: Wanted, used: set[int], progress: Callable[[str], None]
) -> dict[str, Any]:
    job = Job(acquisition=acquisition, used_series_numbers=frozenset(used))
    try:
        report = make(job, Place(folder=place), wanted, progress=lambda step: progress(f"{_name(acquisition)}: {step}"))
    except (Refusal, InvalidInputError) as reason:
        return _refused(acquisition, reason, ())
    except (DicomError, ReconError) as error:
        return {"state": "failed", **_identity(acquisition), "code": "failed", "reason": str(error)}
    except JobFailedError:  # of a failed map
        report = json.loads((place / REPORT_FILE).read_text(encoding="utf-8"))
    _discard_earlier(place, report)
    outcome = {**_identity(acquisition), "folder": str(place), "report": report}
    failure = quality_failure(report)
    if failure is None:
        return {"state": "done", **outcome}
    return {"state": "failed", **outcome, "code": failure.code, "reason": failure.sentence}


def _check_place(place: Path) -> None:
    """Refuse to replace a folder that no earlier run made."""
    ours = (place / REPORT_FILE).exists() or (place / WORK_FOLDER).exists()
    if (place / QSM_FOLDER).exists() and not ours:
        found = f"{place / QSM_FOLDER} exists, without the report of an earlier run beside it"
        raise ConfigurationError(f"{found}; choose another output folder")


def _discard_earlier(place: Path, report: dict[str, Any]) -> None:
    """Remove the series of an earlier run that this run did not make."""
    named = {name.partition("/")[0] for name in report["files"]}
    for folder in (place / name for name in SERIES_NAMES if name not in named):
        if folder.is_dir() and all(file.suffix == ".dcm" for file in folder.iterdir()):
            shutil.rmtree(folder)


def _identity(acquisition: Acquisition) -> dict[str, Any]:
    headers = acquisition.headers
    series = sorted({header.series_number for header in headers if header.series_number is not None})
    return {"acquisition": acquisition.key, "vendor": acquisition.vendor, "series": series, "images": len(headers)}


def _name(acquisition: Acquisition) -> str:
    series = _identity(acquisition)["series"]
    return f"series-{series[0]}-{acquisition.key[:6]}" if series else f"acquisition-{acquisition.key[:6]}"


def _refused(acquisition: Acquisition, reason: Exception | None, missing: Sequence[str]) -> dict[str, Any]:
    code = getattr(reason, "code", "invalid-input" if reason else "incomplete")
    outcome = {"state": "refused", **_identity(acquisition), "code": code, "reason": str(reason or "")}
    return {**outcome, "missing": list(missing)}
