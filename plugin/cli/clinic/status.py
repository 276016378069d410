"""``qsm-plugin status``: what was received, what is waited for, what became of it."""

from __future__ import annotations

from typing import Any

from plugin.cli.console import ConfigOption, JsonOption, ago, load_settings, print_json, results, table

_SHOWN = 20


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what the service received, waits for, works on, delivered and gave up."""
    from plugin.service.status import status as read_status

    found = read_status(load_settings(config))
    if as_json:
        print_json(found)
        return
    images = found["images"]
    results.print(f"{images['received']} images received, {images['ignored']} of them set aside")
    if images["conflicts"]:
        text = "objects came with other content under the UID of an image received before; they are in conflicts/"
        results.print(f"  {images['conflicts']} {text}", soft_wrap=True)
    for reason in found["ignored"]:
        results.print(f"  {reason['images']} × {reason['code']}: {reason['reason']}", soft_wrap=True)
    waiting = [row for row in found["acquisitions"] if row["state"] != "queued"]
    if waiting:
        results.print(
            table(
                "Acquisitions without a map", "acquisition", "state", "images", "since", "why", rows=_waiting(waiting)
            )
        )
    for engine in found["engines"]:
        if engine["state"] in ("ready", "refused"):
            results.print(f"engine {engine['name']}: {engine['state']}, {engine['reason']}", soft_wrap=True)
    results.print(
        table("Jobs", "job", "state", "begun", "deliveries", "why", rows=[_job(job) for job in found["jobs"][:_SHOWN]])
    )


def _waiting(rows: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (r["acquisition"], r["state"], r["images"], ago(r["changed_at"]), "; ".join(r["missing"]) or r["reason"])
        for r in rows[:_SHOWN]
    ]


def _job(job: dict[str, Any]) -> tuple[object, ...]:
    deliveries = ", ".join(f"{one['destination']} ({one['part']}): {one['state']}" for one in job["deliveries"])
    reasons = [one["reason"] or one["code"] for one in (job, *job["deliveries"]) if one["state"] == "failed"]
    return job["job"], job["state"], ago(job["created_at"]), deliveries, "; ".join(reasons)
