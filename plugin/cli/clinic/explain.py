"""``qsm-plugin explain``: why a series that the service received was, or was not, reconstructed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from plugin.cli.console import DONE, REFUSED, ConfigOption, JsonOption, ago, load_settings, print_table, show, tell

EXAMPLES = ("qsm-plugin explain 1.2.840.113619.2.5 --config site.toml",)


def explain(
    uid: Annotated[
        str, typer.Argument(metavar="UID", help="Study, series or SOP instance UID, or an acquisition in status.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a series was reconstructed or not: what was received, which rule decided, what is missing."""
    from plugin.intake.completion import State
    from plugin.intake.explain import explain_uid

    found = explain_uid(uid, load_settings(config))
    show(found, as_json, _tell)
    good = {State.QUEUED, State.COLLECTING}
    raise typer.Exit(DONE if any(one["state"] in good for one in found["acquisitions"]) else REFUSED)


def _tell(found: dict[str, Any]) -> None:
    images = ({**one, "from": one["calling_ae"], "why": one["reason"]} for one in found["images"])
    print_table("Images received", images, ("images", "from", "association", "state", "why"))
    for one in found["acquisitions"]:
        tell(
            f"acquisition {one['acquisition']}, {one['images']} images: {one['state']} since {ago(one['changed_at'])}",
            f"  {one['reason']}",
            *(f"  {name}: {one[name]}" for name in ("evidence", "job") if one[name]),
            *(f"  missing: {gap}" for gap in one["missing"]),
            *(f"  rule {line}" for line in one["rules"]),
        )
