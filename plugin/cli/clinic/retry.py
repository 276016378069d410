"""``qsm-plugin retry``: take a failed job up again where it failed."""

from __future__ import annotations

from typing import Annotated

import typer

from plugin.cli.console import ConfigOption, JsonOption, load_settings, print_json, results


def retry(
    job: Annotated[str, typer.Argument(metavar="ID", help="Job, as qsm-plugin status names it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a failed job, or its failed deliveries, up again where they failed."""
    from plugin.service.status import retry as retry_job

    taken_up = retry_job(load_settings(config), job)
    if as_json:
        print_json({"retried": taken_up})
    else:
        results.print("\n".join(f"queued again: {name}" for name in taken_up))
