"""``qsm-plugin check``: whether a configuration is valid, and what would be reconstructed of a folder of images."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.console import (
    DONE,
    REFUSED,
    ConfigOption,
    JsonOption,
    listed,
    load_settings,
    print_json,
    print_table,
    tell,
)

if TYPE_CHECKING:
    from plugin.config.settings import Settings


def check(
    path: Annotated[Path, typer.Argument(metavar="FOLDER|CONFIG", help="Folder of images, or configuration file.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate a configuration file, or say which series in a folder would be reconstructed, and why others would not.

    A folder is judged by the rules, magnets and limits of the site, where --config names its configuration.
    """
    if not path.is_dir():
        _check_config(path, as_json)
        return
    from plugin.intake.explain import explain_folder

    found = explain_folder(path, load_settings(config))
    if as_json:
        print_json(found)
    else:
        _tell_folder(found)
    raise typer.Exit(DONE if any(one["state"] == "complete" for one in found["acquisitions"]) else REFUSED)


def _tell_folder(found: dict[str, Any]) -> None:
    rows = [
        {
            **one,
            "series": listed(one["series"]),
            "parts": listed(one["components"]),
            "answer": one["code"] or "complete",
        }
        for one in found["acquisitions"]
    ]
    print_table("Acquisitions", rows, ("series", "vendor", "images", "echoes", "parts", "answer"))
    for one in found["acquisitions"]:
        tell(f"series {listed(one['series'])}: {one['reason']}")
        tell(*(f"  rule {line}" for line in one["rules"]), *(f"  {line}" for line in one["notes"]))
    tell(*(f"{one['files']} × {one['code']}: {one['reason']}" for one in found["ignored"]))
    if not found["acquisitions"] and not found["ignored"]:
        tell("The folder is empty.")


def _check_config(path: Path, as_json: bool) -> None:
    settings = _read_checked(path)
    if as_json:
        print_json(settings.model_dump(mode="json", by_alias=True, exclude={"database_url"}))  # it may hold a password
        return
    where = [f"{d.name} ({d.ae_title}@{d.host}:{d.port})" for d in settings.destinations]
    where += ["whoever sent the images"] if settings.return_to_sender else []
    gets = [f"{d.name} gets {listed(d.objects)}" for d in settings.destinations if d.objects is not None]
    gets += [f"whoever sent the images gets {listed(settings.sender_objects)}"] if settings.return_to_sender else []
    tell(
        f"{path}: valid",
        f"  listens as {settings.ae_title} on {settings.bind}:{settings.port}",
        f"  keeps images in {settings.spool}",
        f"  delivers to {', '.join(where) or 'nobody: QSM series stay in the spool'}",
        f"  makes {listed(settings.objects.names)}, profile {settings.profile}",
        *(f"  {line}" for line in gets),
    )


def _read_checked(path: Path) -> Settings:
    """Read a configuration without changing anything on the disk.

    Raises
    ------
    ConfigurationError
        It has mistakes; the message lists all of them.
    """
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
