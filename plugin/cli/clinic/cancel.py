"""``qsm-plugin cancel``: end a job, or those of its deliveries that are not finished."""

from __future__ import annotations

from typing import Annotated

import typer

from plugin.cli.console import ConfigOption, JsonOption, load_settings, show, tell


def cancel(
    job: Annotated[str, typer.Argument(metavar="ID", help="Job, as qsm-plugin status names it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a job, or those of its deliveries that are not finished."""
    from plugin.service.control import cancel as cancel_job

    cancelled = cancel_job(load_settings(config), job)
    show({"cancelled": cancelled}, as_json, lambda _found: tell(*(f"cancelled: {name}" for name in cancelled)))
