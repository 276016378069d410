"""``qsm-plugin explain``: the answer to "why was this series not reconstructed?"."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from plugin.cli.console import ConfigOption, JsonOption, ago, load_settings, print_json, results, table


def explain(
    what: Annotated[
        str,
        typer.Argument(metavar="UID|FOLDER", help="A folder, or a UID that the service received."),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a series was, or would be, reconstructed or not: what was found, which rule decided, what is missing."""
    from plugin.cli import DONE, REFUSED
    from plugin.intake.completion import State
    from plugin.intake.explain import explain_folder, explain_uid

    settings, folder = load_settings(config), Path(what)
    found = explain_folder(folder, settings) if folder.is_dir() else explain_uid(what, settings)
    if as_json:
        print_json(found)
    elif folder.is_dir():
        _tell_folder(found)
    else:
        _tell_uid(found)
    good = {"complete", State.QUEUED, State.COLLECTING}
    raise typer.Exit(DONE if any(one["state"] in good for one in found["acquisitions"]) else REFUSED)


def _tell_folder(found: dict[str, Any]) -> None:
    rows: list[tuple[object, ...]] = [
        (
            ", ".join(map(str, one["series"])) or "-",
            one["vendor"],
            one["images"],
            f"{one['echoes']} × {', '.join(one['components']) or 'no component'}",
            one["code"] or one["state"],
        )
        for one in found["acquisitions"]
    ]
    results.print(table("Acquisitions", "series", "vendor", "images", "echoes", "answer", rows=rows))
    for one in found["acquisitions"]:
        results.print(f"series {', '.join(map(str, one['series'])) or '-'}: {one['reason']}", soft_wrap=True)
        for line in (*(f"rule {line}" for line in one["rules"]), *one["notes"]):
            results.print(f"  {line}", soft_wrap=True)
    for reason in found["ignored"]:
        results.print(f"{reason['files']} × {reason['code']}: {reason['reason']}", soft_wrap=True)
    if not found["acquisitions"] and not found["ignored"]:
        results.print("The folder is empty.")


def _tell_uid(found: dict[str, Any]) -> None:
    images: list[tuple[object, ...]] = [
        (one["images"], one["calling_ae"], one["association"], one["state"], one["reason"]) for one in found["images"]
    ]
    results.print(table("Images received", "images", "from", "association", "", "why", rows=images))
    for one in found["acquisitions"]:
        results.print(
            f"acquisition {one['acquisition']}, {one['images']} images: {one['state']} since {ago(one['changed_at'])}"
        )
        results.print(f"  {one['reason']}", soft_wrap=True)
        for name in ("evidence", "job"):
            if one[name]:
                results.print(f"  {name}: {one[name]}", soft_wrap=True)
        for line in (*(f"missing: {gap}" for gap in one["missing"]), *(f"rule {line}" for line in one["rules"])):
            results.print(f"  {line}", soft_wrap=True)
