"""``qsm-plugin status``: what was received, and what became of it."""

from __future__ import annotations

from typing import Any

from plugin.cli.console import ConfigOption, JsonOption, ago, load_settings, print_table, show, tell

EXAMPLES = ("qsm-plugin status --config site.toml", "qsm-plugin status --json")

_SHOWN = 20
"""Rows of a table."""


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what the service received, waits for, works on, delivered and gave up."""
    from plugin.service.status import status as read_status

    show(read_status(load_settings(config)), as_json, _tell)


def _tell(found: dict[str, Any]) -> None:
    images = found["images"]
    tell(f"{images['received']} images received, {images['ignored']} of them skipped")
    if images["conflicts"]:
        tell(f"  {images['conflicts']} objects have the UID of an earlier image and other content: see conflicts/")
    tell(*(f"  {one['images']} × {one['code']}: {one['reason']}" for one in found["ignored"]))
    waiting = [
        {**row, "since": ago(row["changed_at"]), "why": "; ".join(row["missing"]) or row["reason"]}
        for row in found["acquisitions"]
        if row["state"] != "queued"
    ]
    if waiting:
        columns = ("acquisition", "state", "images", "since", "why")
        print_table("Acquisitions without a map", waiting[:_SHOWN], columns)
    for engine in found["engines"]:
        if engine["state"] in ("ready", "refused"):
            tell(f"engine {engine['name']}: {engine['state']}, {engine['reason']}")
    print_table("Jobs", map(_job, found["jobs"][:_SHOWN]), ("job", "state", "begun", "deliveries", "why"))


def _job(job: dict[str, Any]) -> dict[str, object]:
    reasons = [one["reason"] or one["code"] for one in (job, *job["deliveries"]) if one["reason"] or one["code"]]
    deliveries = (f"{one['destination']} ({one['part']}): {one['state']}" for one in job["deliveries"])
    begun, why = ago(job["created_at"]), "; ".join(reasons)
    return {**job, "begun": begun, "deliveries": ", ".join(deliveries), "why": why}
