"""What the commands share: where the configuration is, what is printed for people, progress."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from plugin.config.settings import Settings, read_settings
from plugin.errors import NoSuchFolderError

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="QSM_PLUGIN_CONFIG", help="Configuration file (TOML)."),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

people = Console(stderr=True)
"""Everything for people that is not a command's result."""

results = Console()
"""A command's result."""


def load_settings(config: Path | None) -> Settings:
    """Read the configuration, or take the defaults where none is named."""
    return read_settings(config) if config else Settings(spool=Path("qsm-spool").resolve())


def require_folder(folder: Path) -> None:
    """Refuse a folder that does not exist.

    Raises
    ------
    NoSuchFolderError
        It does not exist, or is a file.
    """
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "no such folder"
        raise NoSuchFolderError(f"{folder}: {found}; name a folder with DICOM images")


def print_json(value: object) -> None:
    """Print one JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def table(title: str, *columns: str, rows: list[tuple[object, ...]]) -> Table:
    """Lay out rows for people."""
    laid_out = Table(*columns, title=title, title_justify="left")
    for row in rows:
        laid_out.add_row(*(str(cell) for cell in row))
    return laid_out


def ago(seconds_since_epoch: float) -> str:
    """Say how long ago something was."""
    seconds = max(0, int(time.time() - seconds_since_epoch))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


@contextmanager
def progress_shown(title: str) -> Iterator[Callable[[str], None]]:
    """Show what a long command is doing: live on a terminal, one line for each step elsewhere."""
    began = time.monotonic()
    if not people.is_terminal:
        yield lambda text: people.print(f"{time.monotonic() - began:7.1f} s  {title}: {text}", soft_wrap=True)
        return
    with people.status(title) as spinner:
        last: list[Any] = []

        def show(text: str) -> None:
            if last:
                people.print(f"[green]✓[/] {last[0]} [dim]{time.monotonic() - last[1]:.1f} s[/]")
            last[:] = [text, time.monotonic()]
            spinner.update(f"{title}: {text}")

        yield show
        if last:
            people.print(f"[green]✓[/] {last[0]} [dim]{time.monotonic() - last[1]:.1f} s[/]")
