"""``qsm-plugin check``: is a configuration right, and what would be made of a folder of images."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.console import JsonOption, people, print_json, results, table

if TYPE_CHECKING:
    from plugin.config.settings import Settings


def check(
    path: Annotated[Path, typer.Argument(metavar="FOLDER|CONFIG", help="Folder of images, or configuration file.")],
    as_json: JsonOption = False,
) -> None:
    """Validate a configuration file, or say what of a folder would be reconstructed and why the rest would not."""
    raise typer.Exit(_check_folder(path, as_json) if path.is_dir() else _check_config(path, as_json))


def _check_config(path: Path, as_json: bool) -> int:
    settings = _read_checked(path)
    if as_json:
        print_json(settings.model_dump(mode="json", by_alias=True, exclude={"database_url"}))  # it may hold a password
        return 0
    where = [f"{d.name} ({d.ae_title}@{d.host}:{d.port})" for d in settings.destinations]
    where += ["whoever sent the images"] if settings.return_to_sender else []
    results.print(f"{path}: valid")
    results.print(f"  listens as {settings.ae_title} on {settings.bind}:{settings.port}")
    results.print(f"  keeps images in {settings.spool}", soft_wrap=True)
    results.print(f"  delivers to {', '.join(where) or 'nobody: QSM series stay in the spool'}", soft_wrap=True)
    results.print(f"  makes {', '.join(settings.objects.names)}, profile {settings.profile}", soft_wrap=True)
    for destination in settings.destinations:
        if destination.objects is not None:
            results.print(f"  {destination.name} gets {', '.join(destination.objects)}", soft_wrap=True)
    if settings.return_to_sender:
        results.print(f"  whoever sent the images gets {', '.join(settings.sender_objects)}", soft_wrap=True)
    return 0


def _read_checked(path: Path) -> Settings:
    """Read a configuration, or raise every mistake of it at once; change nothing on the disk."""
    from pydantic import ValidationError

    from plugin.config.reconstruction import options_of
    from plugin.config.settings import Reconstruction, read_settings, read_values
    from plugin.errors import ConfigurationError, SpoolError
    from plugin.files import check_folder_can_be_made

    mistakes: list[str] = []
    chosen = read_values(path).get("reconstruction", {})
    with suppress(ValidationError):  # its mistakes are those of the whole file
        try:
            options_of(Reconstruction.model_validate(chosen))
        except ConfigurationError as error:
            mistakes += [f"{path}: {line}" for line in str(error).splitlines()]
    settings = None
    try:
        settings = read_settings(path)
        check_folder_can_be_made(settings.spool)
    except (ConfigurationError, SpoolError) as error:
        mistakes.insert(0, str(error))
    if mistakes or settings is None:
        raise ConfigurationError("\n".join(mistakes))
    return settings


def _check_folder(folder: Path, as_json: bool) -> int:
    from dicom_io.source.acquisition.completeness import assess
    from dicom_io.source.folder import find_acquisitions
    from plugin.cli import DONE, REFUSED

    scan = find_acquisitions(folder)
    found: list[dict[str, Any]] = []
    for acquisition in scan.acquisitions:
        completeness, headers = assess(acquisition), acquisition.headers
        found.append(
            {
                "acquisition": acquisition.key,
                "series": sorted({h.series_number for h in headers if h.series_number is not None}),
                "vendor": acquisition.vendor,
                "images": len(headers),
                "state": completeness.state,
                "code": completeness.reason.code if completeness.reason else "",
                "reason": completeness.reason.message if completeness.reason else "",
                "missing": list(completeness.missing),
            }
        )
    ignored = [{"file": str(p), "code": reason.code, "reason": reason.message} for p, reason in scan.ignored]
    if as_json:
        print_json({"acquisitions": found, "ignored": ignored})
    else:
        _tell(found, ignored)
    return DONE if any(one["state"] == "complete" for one in found) else REFUSED


def _tell(found: list[dict[str, Any]], ignored: list[dict[str, str]]) -> None:
    rows: list[tuple[object, ...]] = [
        (
            ", ".join(map(str, one["series"])),
            one["vendor"],
            one["images"],
            "would be reconstructed" if one["state"] == "complete" else one["state"],
            one["reason"],
        )
        for one in found
    ]
    results.print(table("Acquisitions", "series", "vendor", "images", "", "why", rows=rows))
    reasons: dict[str, int] = {}
    for file in ignored:
        reasons[file["reason"]] = reasons.get(file["reason"], 0) + 1
    for reason, count in reasons.items():
        people.print(f"[dim]{count} file{'s' if count > 1 else ''} ignored: {reason}[/]", soft_wrap=True)
