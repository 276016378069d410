"""``qsm-plugin retry``: run a failed job, or its failed deliveries, again."""

from __future__ import annotations

from typing import Annotated

import typer

from plugin.cli.console import ConfigOption, JsonOption, load_settings, show, tell


def retry(
    job: Annotated[str, typer.Argument(metavar="ID", help="Job, as qsm-plugin status names it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a failed job, or its failed deliveries, again."""
    from plugin.service.control import retry as retry_job

    queued = retry_job(load_settings(config), job)
    show({"retried": queued}, as_json, lambda _found: tell(*(f"queued again: {name}" for name in queued)))
