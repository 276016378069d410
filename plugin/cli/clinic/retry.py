"""``qsm-plugin retry``: resume a failed job where it failed."""

from __future__ import annotations

from typing import Annotated

import typer

from plugin.cli.console import ConfigOption, JsonOption, load_settings, print_json, tell


def retry(
    job: Annotated[str, typer.Argument(metavar="ID", help="Job, as qsm-plugin status names it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Resume a failed job, or its failed deliveries, where they failed."""
    from plugin.service.status import retry as retry_job

    queued = retry_job(load_settings(config), job)
    if as_json:
        print_json({"retried": queued})
    else:
        tell(*(f"queued again: {name}" for name in queued))
