"""``qsm-plugin serve``: receive, reconstruct and deliver until stopped."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import typer

from plugin.cli.bar import Bar
from plugin.cli.console import ConfigOption, load_settings, note, people

EXAMPLES = ("qsm-plugin serve --config /etc/qsm-plugin/site.toml",)

_LOOK_SECONDS = 5.0
_FIRST_START_SECONDS = 35.0
"""How long a first start takes on two cores; a later one finds what was compiled."""


def serve(config: ConfigOption = None) -> None:
    """Receive series by DICOM, reconstruct them, and deliver the QSM series.

    The configuration is read again on SIGHUP.
    """
    from plugin.log import configure, get_logger
    from plugin.service.process import ENGINES_FILE
    from plugin.service.supervisor import serve as run_service

    settings = load_settings(config)
    if people.is_terminal:
        engines = settings.host_folder / ENGINES_FILE
        threading.Thread(target=_show_start, args=(engines, time.time()), daemon=True).start()
    configure(settings.log, process="supervisor", recent_in=settings.host_folder)
    if not settings.destinations and not settings.return_to_sender:
        reason = "no destinations and no return_to_sender: QSM series will stay in the spool"
        get_logger().warning("service.delivers_nothing", reason=reason)
    raise typer.Exit(run_service(settings, config))


def _show_start(engines: Path, began: float) -> None:
    """Print a bar, a line every few seconds among those of the log, until the worker has reported its engines."""
    bar = Bar(title="starting", typical=(("", _FIRST_START_SECONDS),), is_timed=True)
    bar.begin("the worker compiles its kernels and checks its engines")
    time.sleep(_LOOK_SECONDS)
    while not (engines.exists() and engines.stat().st_mtime >= began):
        people.print(bar)
        time.sleep(_LOOK_SECONDS)
    note("started: maps can be made")
