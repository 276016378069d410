"""``qsm-plugin reconstruct``: the service's own reconstruction, at a desk, without the network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.console import (
    DONE,
    FAILED,
    REFUSED,
    ConfigOption,
    EngineOption,
    JsonOption,
    MethodOption,
    load_settings,
    note,
    progress_shown,
    require_folder,
    show,
    tell,
)
from plugin.errors import ConfigurationError

if TYPE_CHECKING:
    from plugin.jobs.workflow import Wanted

EXAMPLES = (
    "qsm-plugin reconstruct FOLDER --output OUT",
    "qsm-plugin reconstruct FOLDER --output OUT --objects all --nifti",
    "qsm-plugin reconstruct FOLDER --output OUT --method tgv --mask mask.nii.gz --json",
    "qsm-plugin reconstruct --bids DATASET --phase-sign positive",
)

TYPICAL = (
    ("finding", 0.5), ("reading", 5.0), ("total field", 11.7), ("inversion", 8.2), ("quality", 1.5), ("writing", 1.8),
    ("making", 3.0),
)  # fmt: skip
"""Steps of an acquisition, and their seconds on two cores; libraries are loaded while the first one is read."""


def reconstruct(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="IN", readable=False, help="Folder with the DICOM images of a gradient echo, or a BIDS dataset."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Folder for the results; of a dataset, IN/derivatives/qsm-plugin."
        ),
    ] = None,
    as_json: JsonOption = False,
    engine: EngineOption = "auto",
    method: MethodOption = "network",
    mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Mask in place of the automatic one: .npy or NIfTI, 0 and 1.")
    ] = None,
    objects: Annotated[
        str, typer.Option(metavar="NAMES", help="What to make beside the map: 'all', or names such as 'swi,r2star'.")
    ] = "qsm",
    profile: Annotated[str, typer.Option(help="How values are stored: console12 or pacs16.")] = "console12",
    nifti: Annotated[bool, typer.Option("--nifti", help="Also write NIfTI files with BIDS sidecars.")] = False,
    keep_failed: Annotated[
        bool, typer.Option("--keep-failed", help="Also write a map that failed its quality check, marked FAILED.")
    ] = False,
    config: ConfigOption = None,
    bids: Annotated[
        bool, typer.Option("--bids", help="IN is a BIDS dataset: its MEGRE files in, BIDS derivatives out.")
    ] = False,
    phase_sign: Annotated[
        str | None,
        typer.Option(
            metavar="positive|negative",
            help="Of a dataset: whether phase grows (positive) or falls (negative) where the field rises.",
        ),
    ] = None,
) -> None:
    """Reconstruct every acquisition in a folder to OUT/qsm/*.dcm and OUT/report.json.

    Each further object gets a folder of its own beside qsm/. Several acquisitions get a sub-folder of OUT each. A
    mask in .npy has the axes of the images: columns, rows, slices; one in NIfTI is brought to them by its affine. Of a
    map that failed its quality check, report.json alone is written. Of a configuration, magnets and largest_gib are
    used.

    With --bids, IN is a BIDS dataset with sub-*/[ses-*/]anat/*_part-mag_MEGRE.nii.gz and part-phase beside it. Echo
    times and field strength come from the sidecars, the B0 direction from the affine. BIDS does not state the sign of
    phase: give --phase-sign, or write "PhaseSign" into the sidecars.
    """
    from plugin.config.settings import checked_settings
    from plugin.jobs.folder import reconstruct_folder
    from plugin.jobs.products import NIFTI
    from plugin.jobs.workflow import Wanted
    from recon.options import Options

    require_folder(folder)
    if output is None and not bids:
        raise ConfigurationError("--output is missing; name a folder for the results")
    if phase_sign and not bids:
        raise ConfigurationError("--phase-sign is for --bids; DICOM images state the sign of their phase")
    chosen = checked_settings(reconstruction={"method": method, "engine": engine}, profile=profile)
    wanted = Wanted(
        options=Options(**dict(chosen.reconstruction)),
        objects=(*_objects(objects, bids), *([NIFTI] if nifti and not bids else [])),
        profile=chosen.profile,
        mask=mask,
        keep_failed=keep_failed,
    )
    with progress_shown("reconstruct", TYPICAL, as_json=as_json) as say:
        if output is None or bids:
            found = _reconstruct_dataset(folder, output, phase_sign, wanted, say)
        else:
            found = reconstruct_folder(folder, output, wanted, load_settings(config), say)
    show(found, as_json, _tell_dataset if bids else _tell)
    states = {outcome["state"] for outcome in found["acquisitions"]}
    raise typer.Exit(FAILED if "failed" in states else DONE if "done" in states else REFUSED)


def _objects(names: str, bids: bool) -> tuple[str, ...]:
    """Return the objects to be made; of a dataset, "all" stands for those that have a NIfTI form."""
    from plugin.config.switches import objects_of
    from plugin.jobs.bids.run import NIFTI_OBJECTS

    return NIFTI_OBJECTS if bids and names.strip() == "all" else objects_of(names)


def _reconstruct_dataset(
    folder: Path, output: Path | None, phase_sign: str | None, wanted: Wanted, say: Callable[[str], None]
) -> dict[str, Any]:
    from plugin.jobs.bids.phase import SIGNS
    from plugin.jobs.bids.run import Dataset, reconstruct_dataset

    if phase_sign not in (None, *SIGNS):
        raise ConfigurationError(f"no phase sign {phase_sign!r}; expected {' or '.join(SIGNS)}")
    place = output or folder / "derivatives" / "qsm-plugin"
    return reconstruct_dataset(Dataset(folder=folder, output=place, phase_sign=phase_sign), wanted, say)


def _tell_dataset(found: dict[str, Any]) -> None:
    for outcome in found["acquisitions"]:
        name, report = outcome["acquisition"], outcome.get("report")
        if outcome["state"] != "done":
            note(f"{name}: {outcome['state']} ({outcome['code']}): {outcome['reason']}")
        if report and report["files"]:
            tell(
                f"{name}: {len(report['files'])} files, {sum(report['seconds'].values()):.1f} s, verdict "
                f"{report['verdict']['level']}",
                *(f"  {file}" for file in report["files"] if file.endswith(".nii.gz")),
            )
        if report:
            _note_shortfalls(report)


def _tell(found: dict[str, Any]) -> None:
    for outcome in found["acquisitions"]:
        numbers = ", ".join(map(str, outcome["series"])) or "without number"
        what = f"series {numbers} ({outcome['images']} images, {outcome['vendor']})"
        made = bool(outcome.get("report", {}).get("files"))
        if made:
            _tell_made(what, outcome["folder"], outcome["report"])
        if outcome["state"] != "done":
            note(f"{what}: {outcome['state']} ({outcome['code']}): {outcome['reason']}")
            note(*(f"  missing: {gap}" for gap in outcome.get("missing", ())))
        if "report" in outcome and not made:
            note(f"  its figures are in {outcome['folder']}/report.json; --keep-failed writes the map too")
    files_of = defaultdict(list)
    for file in found["ignored"]:
        files_of[file["reason"]].append(file["file"])
    for reason, files in files_of.items():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        note(f"[dim]skipped {files[0]}{more}: {reason}[/]")
    if not found["acquisitions"]:
        note("no gradient-echo acquisition was found")


def _tell_made(what: str, folder: str, report: dict[str, Any]) -> None:
    tell(f"{what}: {len(report['files'])} derived objects in {folder}, {sum(report['seconds'].values()):.1f} s")
    for series in report["series"]:
        name, count = f"{series['series_number']} {series['description']}", len(series["files"])
        tell(f"  {series['object']}: series {name}, {count} object{'s' if count > 1 else ''}")
    _note_shortfalls(report)


def _note_shortfalls(report: dict[str, Any]) -> None:
    note(*(f"  [yellow]{name} was not made[/]: {reason}" for name, reason in report["not_made"].items()))
    note(*(f"  [yellow]note[/] {warning}" for warning in report["warnings"]))
