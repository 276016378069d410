"""``qsm-plugin check``: whether a configuration is valid, and what would be reconstructed of a folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.console import DONE, REFUSED, ConfigOption, JsonOption, listed, load_settings, print_table, show, tell

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
    from plugin.config.settings import read_settings
    from plugin.files import check_folder_can_be_made
    from plugin.intake.explain import explain_folder

    if not path.is_dir():
        settings = read_settings(path)
        check_folder_can_be_made(settings.spool)
        shown = settings.model_dump(mode="json", exclude={"database_url"})  # it may hold a password
        show(shown, as_json, lambda _shown: _tell_settings(path, settings))
        return
    found = explain_folder(path, load_settings(config))
    show(found, as_json, _tell_folder)
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


def _tell_settings(path: Path, settings: Settings) -> None:
    where = [f"{d.name} ({d.ae_title}@{d.host}:{d.port})" for d in settings.destinations]
    where += ["the sender of the images"] if settings.return_to_sender else []
    gets = [f"{d.name} gets {listed(d.objects)}" for d in settings.destinations if d.objects is not None]
    gets += [f"the sender gets {listed(settings.sender_objects)}"] if settings.return_to_sender else []
    tell(
        f"{path}: valid",
        f"  listens as {settings.ae_title} on {settings.bind}:{settings.port}",
        f"  keeps images in {settings.spool}",
        f"  delivers to {', '.join(where) or 'no destination: QSM series stay in the spool'}",
        f"  makes {listed(settings.objects.names)}, profile {settings.profile}",
        *(f"  {line}" for line in gets),
    )
