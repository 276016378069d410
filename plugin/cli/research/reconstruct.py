"""``qsm-plugin reconstruct``: the service's own reconstruction, at a desk, without the network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.console import (
    ConfigOption,
    JsonOption,
    load_settings,
    people,
    print_json,
    progress_shown,
    require_folder,
    results,
)

if TYPE_CHECKING:
    from dicom_io.source.acquisition.grouping import Acquisition
    from dicom_io.source.folder import FolderScan
    from plugin.config.settings import Settings
    from plugin.jobs.workflow import Wanted


def reconstruct(
    folder: Annotated[Path, typer.Argument(metavar="IN", help="Folder with the DICOM images of a gradient echo.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Folder for the results.")],
    as_json: JsonOption = False,
    engine: Annotated[str, typer.Option(help="Inference engine.")] = "auto",
    method: Annotated[str, typer.Option(help="Inversion method.")] = "network",
    mask: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Mask to use instead of the automatic one: .npy, .nii or .nii.gz, 0 and 1."),
    ] = None,
    objects: Annotated[
        str, typer.Option(metavar="NAMES", help="What to make beside the map: 'all', or names such as 'swi,r2star'.")
    ] = "qsm",
    profile: Annotated[str, typer.Option(help="How values are stored: console12 or pacs16.")] = "console12",
    nifti: Annotated[bool, typer.Option("--nifti", help="Write NIfTI files with BIDS sidecars, too.")] = False,
    config: ConfigOption = None,
) -> None:
    """Reconstruct every acquisition of a folder to OUT/qsm/*.dcm and OUT/report.json.

    Each further object gets a folder of its own beside qsm/. Several acquisitions get a sub-folder of OUT each. A
    mask has the axes of the images: columns, rows, slices. Of a configuration, magnets and largest_gib are used.
    """
    from plugin.config.reconstruction import objects_of, options_of, profile_of
    from plugin.config.settings import Reconstruction
    from plugin.jobs.mask_file import read_mask
    from plugin.jobs.products import NIFTI
    from plugin.jobs.workflow import Wanted

    require_folder(folder)
    site = load_settings(config)
    options = options_of(Reconstruction(method=method, engine=engine))
    chosen = (*objects_of(objects), *([NIFTI] if nifti else []))
    wanted = Wanted(options=options, objects=chosen, profile=profile_of(profile), mask=mask)
    if mask is not None:
        read_mask(mask)
    outcomes, scan = _reconstruct_folder(folder, output, wanted, site)
    ignored = [{"file": str(p), "code": reason.code, "reason": reason.message} for p, reason in scan.ignored]
    if as_json:
        print_json({"acquisitions": outcomes, "ignored": ignored})
    else:
        _tell(outcomes, ignored)
    raise typer.Exit(_status(outcomes))


def _reconstruct_folder(
    folder: Path, output: Path, wanted: Wanted, site: Settings
) -> tuple[list[dict[str, Any]], FolderScan]:
    """Reconstruct what is complete; return what became of every acquisition, and what was found."""
    from dicom_io.derived.context.series_number import used_series_numbers
    from dicom_io.derived.context.source_series import reserved_series_numbers
    from dicom_io.source.acquisition.completeness import assess
    from dicom_io.source.folder import find_acquisitions
    from plugin.config.site import with_field

    with progress_shown("find"):
        scan = find_acquisitions(folder, prepare=partial(with_field, calling_ae="", magnets=site.magnets))
    found = [(acquisition, assess(acquisition, largest_gib=site.largest_gib)) for acquisition in scan.acquisitions]
    ready = [acquisition for acquisition, completeness in found if completeness.state == "complete"]
    outcomes = [
        _refused(acquisition, completeness.reason, completeness.missing)
        for acquisition, completeness in found
        if completeness.state != "complete"
    ]
    places = _places(ready, output)
    used = used_series_numbers(scan)
    for acquisition, place in zip(ready, places, strict=True):
        outcomes.append(_reconstruct_one(acquisition, place, wanted, used))
        used |= reserved_series_numbers(acquisition, revision=1, used=used)
    return outcomes, scan


def _reconstruct_one(acquisition: Acquisition, place: Path, wanted: Wanted, used: set[int]) -> dict[str, Any]:
    """Reconstruct one acquisition; a refusal or failure is an outcome, not the end of the others."""
    from dicom_io.errors import DicomError, Refusal
    from plugin.jobs.job import Job
    from plugin.jobs.workflow import make
    from recon.errors import InvalidInputError, ReconError

    try:
        with progress_shown(_name(acquisition)) as progress:
            job = Job(acquisition=acquisition, used_series_numbers=frozenset(used))
            report = make(job, place, wanted, progress=progress)
    except (Refusal, InvalidInputError) as reason:
        return _refused(acquisition, reason, ())
    except (DicomError, ReconError) as error:
        return {"state": "failed", **_identity(acquisition), "code": "failed", "reason": str(error)}
    _discard_earlier(place, report)
    return {"state": "done", **_identity(acquisition), "folder": str(place), "report": report}


def _places(ready: Sequence[Acquisition], output: Path) -> list[Path]:
    """Give each acquisition its folder, and check all of them before the first reconstruction."""
    places = [output if len(ready) == 1 else output / _name(acquisition) for acquisition in ready]
    for place in places:
        _check_place(place)
    return places


def _check_place(place: Path) -> None:
    """Refuse to replace a folder that no earlier run made."""
    from plugin.errors import ConfigurationError
    from plugin.jobs.job import QSM_FOLDER, REPORT_FILE
    from plugin.jobs.workflow import WORK_FOLDER

    ours = (place / REPORT_FILE).exists() or (place / WORK_FOLDER).exists()
    if (place / QSM_FOLDER).exists() and not ours:
        raise ConfigurationError(f"{place / QSM_FOLDER} exists and is not ours; choose another output folder")


def _discard_earlier(place: Path, report: dict[str, Any]) -> None:
    """Remove series of an earlier run into the same folder, which the report does not name."""
    import shutil

    from dicom_io.derived.products import SERIES_NAMES

    named = {name.partition("/")[0] for name in report["files"]}
    for folder in (place / name for name in SERIES_NAMES if name not in named):
        if folder.is_dir() and all(file.suffix == ".dcm" for file in folder.iterdir()):
            shutil.rmtree(folder)


def _identity(acquisition: Acquisition) -> dict[str, Any]:
    series = sorted({h.series_number for h in acquisition.headers if h.series_number is not None})
    images = len(acquisition.headers)
    return {"acquisition": acquisition.key, "vendor": acquisition.vendor, "series": series, "images": images}


def _refused(acquisition: Acquisition, reason: Exception | None, missing: Sequence[str]) -> dict[str, Any]:
    code = getattr(reason, "code", "invalid-input" if reason else "incomplete")
    outcome = {"state": "refused", **_identity(acquisition), "code": code, "reason": str(reason or "")}
    return {**outcome, "missing": list(missing)}


def _name(acquisition: Acquisition) -> str:
    series = _identity(acquisition)["series"]
    return f"series-{series[0]}-{acquisition.key[:6]}" if series else f"acquisition-{acquisition.key[:6]}"


def _status(outcomes: Sequence[dict[str, Any]]) -> int:
    from plugin.cli import DONE, FAILED, REFUSED

    states = {outcome["state"] for outcome in outcomes}
    if "failed" in states:
        return FAILED
    return DONE if "done" in states else REFUSED


def _tell(outcomes: Sequence[dict[str, Any]], ignored: Sequence[dict[str, str]]) -> None:
    for outcome in outcomes:
        numbers = ", ".join(map(str, outcome["series"])) or "without number"
        what = f"series {numbers} ({outcome['images']} images, {outcome['vendor']})"
        if outcome["state"] == "done":
            report = outcome["report"]
            seconds = sum(report["seconds"].values())
            results.print(f"{what}: {len(report['files'])} derived objects in {outcome['folder']}, {seconds:.1f} s")
            for series in report["series"]:
                name, count = f"{series['series_number']} {series['description']}", len(series["files"])
                results.print(f"  {series['object']}: series {name}, {count} object{'s' if count > 1 else ''}")
            for name, reason in report["not_made"].items():
                people.print(f"  [yellow]{name} was not made[/]: {reason}", soft_wrap=True)
            for warning in report["warnings"]:
                people.print(f"  [yellow]note[/] {warning}", soft_wrap=True)
        else:
            people.print(f"{what}: {outcome['state']} ({outcome['code']}): {outcome['reason']}", soft_wrap=True)
            for gap in outcome.get("missing", ()):
                people.print(f"  missing: {gap}")
    reasons: dict[str, list[str]] = {}
    for file in ignored:
        reasons.setdefault(file["reason"], []).append(file["file"])
    for reason, files in reasons.items():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        people.print(f"[dim]ignored {files[0]}{more}: {reason}[/]", soft_wrap=True)
    if not outcomes:
        people.print("no gradient-echo acquisition was found")
