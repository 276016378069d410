"""``qsm-plugin prepare``: pay at installation for what the first start would have to compile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import Any

from plugin.cli.console import ConfigOption, JsonOption, load_settings, people, progress_shown, show, tell

_MOVE_SECONDS = 0.2
"""How often the bar moves within a step."""


def prepare(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Compile the kernels and convert or build the engines for this machine, once, as the user of the service.

    What is there already is only checked. Run it after each upgrade; two at once wait for each other.
    """
    from recon.engines.folders import cache_folder, locked
    from recon.options import Options
    from recon.pipeline import WARM_UP_SECONDS, warm_up

    options = Options(**dict(load_settings(config).reconstruction))
    folder, began = cache_folder("engines"), time.monotonic()
    with locked(folder, "prepare") if folder else nullcontext(), _bar_shown(dict(WARM_UP_SECONDS)) as begin:
        attempts = warm_up(options, begin)
    found = {
        "seconds": round(time.monotonic() - began, 1),
        "folder": str(folder.parent) if folder else None,
        "engines": [asdict(one) for one in attempts],
    }
    show(found, as_json, _tell)


def _tell(found: dict[str, Any]) -> None:
    ready = next((one for one in found["engines"] if one["state"] == "ready"), None)
    tell(
        f"ready in {found['seconds']:.0f} s" + (f": engine {ready['name']}, {ready['reason']}" if ready else ""),
        f"kept in {found['folder']}"
        if found["folder"]
        else "nothing is kept: this user has no folder for it; name one in CACHE_DIRECTORY",
    )


@contextmanager
def _bar_shown(seconds: dict[str, float]) -> Iterator[Callable[[str], None]]:
    """Show a bar of steps that are expected to take some seconds each; lines where no terminal watches."""
    if not people.is_terminal:
        with progress_shown("prepare") as say:
            yield say
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), "left", TimeRemainingColumn())
    ended, until = threading.Event(), 0.0
    with Progress(*columns, console=people) as progress:
        task = progress.add_task("prepare", total=sum(seconds.values()))

        def begin(step: str) -> None:
            nonlocal until
            progress.update(task, completed=until, description=f"prepare: {step}")
            until += seconds.get(step, 0.0)

        def move() -> None:
            while not ended.wait(_MOVE_SECONDS):
                progress.update(task, completed=min(progress.tasks[0].completed + _MOVE_SECONDS, until))

        mover = threading.Thread(target=move, daemon=True)
        mover.start()
        try:
            yield begin
        finally:
            ended.set()
            mover.join()
        progress.update(task, completed=progress.tasks[0].total)
