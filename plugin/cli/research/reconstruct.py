"""``qsm-plugin reconstruct``: the service's own reconstruction, at a desk, without the network."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

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

EXAMPLES = (
    "qsm-plugin reconstruct FOLDER --output OUT",
    "qsm-plugin reconstruct FOLDER --output OUT --objects all --nifti",
    "qsm-plugin reconstruct FOLDER --output OUT --method tgv --mask mask.nii.gz --json",
)

TYPICAL = (
    ("finding", 0.5), ("reading", 1.1), ("total field", 11.7), ("inversion", 8.2), ("quality", 1.5), ("writing", 1.8),
    ("making", 3.0),
)  # fmt: skip
"""Steps of an acquisition, and their seconds on two cores."""


def reconstruct(
    folder: Annotated[
        Path, typer.Argument(metavar="IN", readable=False, help="Folder with the DICOM images of a gradient echo.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Folder for the results.")],
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
) -> None:
    """Reconstruct every acquisition in a folder to OUT/qsm/*.dcm and OUT/report.json.

    Each further object gets a folder of its own beside qsm/. Several acquisitions get a sub-folder of OUT each. A
    mask in .npy has the axes of the images: columns, rows, slices; one in NIfTI is brought to them by its affine. Of a
    map that failed its quality check, report.json alone is written. Of a configuration, magnets and largest_gib are
    used.
    """
    from plugin.config.settings import checked_settings
    from plugin.config.switches import objects_of
    from plugin.jobs.folder import reconstruct_folder
    from plugin.jobs.products import NIFTI
    from plugin.jobs.workflow import Wanted
    from recon.options import Options

    require_folder(folder)
    chosen = checked_settings(reconstruction={"method": method, "engine": engine}, profile=profile)
    wanted = Wanted(
        options=Options(**dict(chosen.reconstruction)),
        objects=(*objects_of(objects), *([NIFTI] if nifti else [])),
        profile=chosen.profile,
        mask=mask,
        keep_failed=keep_failed,
    )
    with progress_shown("reconstruct", TYPICAL, as_json=as_json) as say:
        found = reconstruct_folder(folder, output, wanted, load_settings(config), say)
    show(found, as_json, _tell)
    states = {outcome["state"] for outcome in found["acquisitions"]}
    raise typer.Exit(FAILED if "failed" in states else DONE if "done" in states else REFUSED)


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
    note(*(f"  [yellow]{name} was not made[/]: {reason}" for name, reason in report["not_made"].items()))
    note(*(f"  [yellow]note[/] {warning}" for warning in report["warnings"]))
