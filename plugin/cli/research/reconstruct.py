"""``qsm-plugin reconstruct``: the service's own reconstruction, at a desk, without the network."""

from __future__ import annotations

from collections.abc import Sequence
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
    print_json,
    progress_shown,
    require_folder,
    tell,
)


def reconstruct(
    folder: Annotated[Path, typer.Argument(metavar="IN", help="Folder with the DICOM images of a gradient echo.")],
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
    config: ConfigOption = None,
) -> None:
    """Reconstruct every acquisition in a folder to OUT/qsm/*.dcm and OUT/report.json.

    Each further object gets a folder of its own beside qsm/. Several acquisitions get a sub-folder of OUT each. A
    mask has the axes of the images: columns, rows, slices. Of a configuration, magnets and largest_gib are used.
    """
    from plugin.config.reconstruction import objects_of, options_of, profile_of
    from plugin.config.settings import Reconstruction
    from plugin.jobs.folder import reconstruct_folder
    from plugin.jobs.products import NIFTI
    from plugin.jobs.workflow import Wanted

    require_folder(folder)
    wanted = Wanted(
        options=options_of(Reconstruction(method=method, engine=engine)),
        objects=(*objects_of(objects), *([NIFTI] if nifti else [])),
        profile=profile_of(profile),
        mask=mask,
    )
    with progress_shown("reconstruct") as say:
        found = reconstruct_folder(folder, output, wanted, load_settings(config), say)
    if as_json:
        print_json(found)
    else:
        _tell(found["acquisitions"], found["ignored"])
    raise typer.Exit(_status(found["acquisitions"]))


def _status(outcomes: Sequence[dict[str, Any]]) -> int:
    states = {outcome["state"] for outcome in outcomes}
    return FAILED if "failed" in states else DONE if "done" in states else REFUSED


def _tell(outcomes: Sequence[dict[str, Any]], ignored: Sequence[dict[str, str]]) -> None:
    for outcome in outcomes:
        numbers = ", ".join(map(str, outcome["series"])) or "without number"
        what = f"series {numbers} ({outcome['images']} images, {outcome['vendor']})"
        if outcome["state"] == "done":
            _tell_done(what, outcome["folder"], outcome["report"])
        else:
            note(f"{what}: {outcome['state']} ({outcome['code']}): {outcome['reason']}")
            note(*(f"  missing: {gap}" for gap in outcome.get("missing", ())))
    files_of: dict[str, list[str]] = {}
    for file in ignored:
        files_of.setdefault(file["reason"], []).append(file["file"])
    for reason, files in files_of.items():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        note(f"[dim]skipped {files[0]}{more}: {reason}[/]")
    if not outcomes:
        note("no gradient-echo acquisition was found")


def _tell_done(what: str, folder: str, report: dict[str, Any]) -> None:
    tell(f"{what}: {len(report['files'])} derived objects in {folder}, {sum(report['seconds'].values()):.1f} s")
    for series in report["series"]:
        name, count = f"{series['series_number']} {series['description']}", len(series["files"])
        tell(f"  {series['object']}: series {name}, {count} object{'s' if count > 1 else ''}")
    note(*(f"  [yellow]{name} was not made[/]: {reason}" for name, reason in report["not_made"].items()))
    note(*(f"  [yellow]note[/] {warning}" for warning in report["warnings"]))
