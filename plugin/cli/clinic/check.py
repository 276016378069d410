"""``qsm-plugin check``: is a configuration valid, which series would be reconstructed, how good is the protocol."""

from __future__ import annotations

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
    print_table,
    require_folder,
    show,
    tell,
)

if TYPE_CHECKING:
    from plugin.config.settings import Settings

EXAMPLES = ("qsm-plugin check site.toml", "qsm-plugin check FOLDER --config site.toml")


def check(
    path: Annotated[
        Path, typer.Argument(metavar="FOLDER|CONFIG", readable=False, help="Folder of images, or configuration file.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate a configuration file, or check a folder: what would be reconstructed, and how good the protocol is.

    A folder is judged by the rules, magnets and limits of the site, where --config names its configuration. The
    protocol of each gradient echo is compared with the QSM consensus (doi:10.1002/mrm.30006) and with physics,
    as far as the headers allow.
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
    require_folder(path)
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
        if one["protocol"]:
            _tell_protocol(f"Protocol of series {listed(one['series'])}", one["protocol"])
    tell(*(f"{one['files']} × {one['code']}: {one['reason']}" for one in found["ignored"]))
    if not found["acquisitions"] and not found["ignored"]:
        tell("The folder is empty.")


def _tell_protocol(title: str, findings: list[dict[str, Any]]) -> None:
    """Print what was found as a table, and below it what to change, the most important first."""
    from dicom_io.protocol.judgements import Level

    print_table(title, findings, {"recommendation": "{name}", "found": "{found}", "judgement": "{level}"})
    for level in (Level.CHANGE, Level.COSTS):
        for one in (one for one in findings if one["level"] == level):
            tell(f"{one['name']}: {level}. {one['why']} {one['change']} ({one['source']})")
            if one["vendor_words"]:
                tell(f"  at this scanner (from documentation only): {one['vendor_words']}")
    if unstated := [one["name"] for one in findings if one["level"] == Level.UNSTATED]:
        tell(f"The headers do not state: {listed(unstated)}. Check these at the scanner.")


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
