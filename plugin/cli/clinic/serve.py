"""``qsm-plugin serve``: receive, reconstruct and deliver until stopped."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import typer

from plugin.cli.bar import Bar
from plugin.cli.console import ConfigOption, load_settings, note, people

EXAMPLES = ("qsm-plugin serve --config site.toml",)

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
    shown = _Start(engines=settings.host_folder / ENGINES_FILE, ended=not people.is_terminal)
    configure(settings.log, process="supervisor", recent_in=settings.host_folder)
    if not settings.destinations and not settings.return_to_sender:
        reason = "no destinations and no return_to_sender: QSM series will stay in the spool"
        get_logger().warning("service.delivers_nothing", reason=reason)
    raise typer.Exit(run_service(settings, config, shown.show))


@dataclass(kw_only=True)
class _Start:
    """A bar for the start: a line every few seconds among those of the log, until the worker reports its engines.

    It has no thread of its own: the processes of the service are forked from this one.
    """

    engines: Path
    ended: bool
    began: float = field(default_factory=time.time)
    _bar: Bar = field(init=False)
    _printed: float = field(init=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._bar = Bar(title="starting", typical=(("", _FIRST_START_SECONDS),), is_timed=True)
        self._bar.begin("the worker compiles its kernels and checks its engines")

    def show(self) -> None:
        """Print a line if it is time; a terminal that was closed stops nothing."""
        if self.ended or time.monotonic() - self._printed < _LOOK_SECONDS:
            return
        self._printed = time.monotonic()
        self.ended = self.engines.exists() and self.engines.stat().st_mtime >= self.began
        with suppress(OSError):
            if self.ended:
                note("started: maps can be made")
            else:
                people.print(self._bar)
