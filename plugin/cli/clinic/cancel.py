"""``qsm-plugin cancel``: end a job, or those of its deliveries that are not finished."""

from __future__ import annotations

from plugin.cli.console import ConfigOption, JobArgument, JsonOption, load_settings, show, tell

EXAMPLES = ("qsm-plugin cancel 3f1c9a7e5b2d4860 --config site.toml",)


def cancel(job: JobArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """End a job, or those of its deliveries that are not finished."""
    from plugin.service.control import cancel as cancel_job

    cancelled = cancel_job(load_settings(config), job)
    show({"cancelled": cancelled}, as_json, lambda _found: tell(*(f"cancelled: {name}" for name in cancelled)))
