"""``qsm-plugin retry``: run a failed job, or its failed deliveries, again."""

from __future__ import annotations

from plugin.cli.console import ConfigOption, JobArgument, JsonOption, load_settings, show, tell

EXAMPLES = ("qsm-plugin retry 3f1c9a7e5b2d4860 --config site.toml",)


def retry(job: JobArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Run a failed job, or its failed deliveries, again."""
    from plugin.service.control import retry as retry_job

    queued = retry_job(load_settings(config), job)
    show({"retried": queued}, as_json, lambda _found: tell(*(f"queued again: {name}" for name in queued)))
