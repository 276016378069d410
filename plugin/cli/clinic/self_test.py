"""``qsm-plugin self-test``: a phantom through the running service, against its true values."""

from __future__ import annotations

import time
from dataclasses import asdict

import typer

from plugin.cli.console import DONE, FAILED, ConfigOption, JsonOption, load_settings, progress_shown, show, tell
from plugin.errors import PluginError

EXAMPLES = ("qsm-plugin self-test --config site.toml",)


def self_test(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Send a phantom through the running service and compare its map with the truth."""
    from plugin.service.health import processes
    from plugin.service.selftest import REQUEST_FILE, last_result

    settings = load_settings(config)
    if not processes(settings.host_folder):
        raise PluginError(f"no service runs on the spool {settings.spool}; start one, or name its configuration")
    began, limit = time.time(), 60 * (settings.self_test.limit_minutes + 1)
    (settings.spool / REQUEST_FILE).touch()
    with progress_shown("self-test", as_json=as_json) as say:
        say("the phantom is on its way")
        while (result := last_result(settings.spool)) is None or result.at < began:
            if time.time() - began > limit:
                raise PluginError("the self-test did not end in time; qsm-plugin status says what the service does")
            time.sleep(1.0)
    outcome = "passed" if result.passed else "failed"
    show(asdict(result), as_json, lambda _found: tell(f"{outcome} in {result.seconds:.0f} s: {result.reason}"))
    raise typer.Exit(DONE if result.passed else FAILED)
