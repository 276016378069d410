"""What the commands share: exit statuses, options, and how results and progress are printed."""

from __future__ import annotations

import json
import string
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from plugin.config.settings import Settings, read_settings
from plugin.errors import NoSuchFolderError

DONE, FAILED, USAGE, REFUSED = range(4)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="QSM_PLUGIN_CONFIG", help="Configuration file (TOML)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
EngineOption = Annotated[str, typer.Option(help="Inference engine of the network.")]
MethodOption = Annotated[str, typer.Option(help="Inversion method.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Number of the simulated subject.")]
VoxelSizeOption = Annotated[
    float | None, typer.Option(min=0.5, max=8.0, help="Smallest voxel edge; the case's own if not given.")
]

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


def names_of(given: str) -> list[str]:
    """Return the names in a comma-separated option."""
    return [name.strip() for name in given.split(",") if name.strip()]


def print_json(value: object) -> None:
    """Print one JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def tell(*lines: str) -> None:
    """Print lines of a command's result, for people."""
    for line in lines:
        results.print(line, soft_wrap=True)


def note(*lines: str) -> None:
    """Print lines beside a command's result, for people."""
    for line in lines:
        people.print(line, soft_wrap=True)


class _Cell(string.Formatter):
    """Formats a cell; None is left empty."""

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401 - as the original
        """See :class:`string.Formatter`."""
        return "" if value is None else str(super().format_field(value, format_spec))


def print_table(title: str, rows: Iterable[Mapping[str, object]], columns: Mapping[str, str] | Sequence[str]) -> None:
    """Print a table, for people.

    Parameters
    ----------
    title
        Stands above it.
    rows
        Values by name.
    columns
        Format of the cells by heading, ``{"time s": "{seconds:.1f}"}``; or headings alone that are names of values.
    """
    cells = columns if isinstance(columns, Mapping) else {name: f"{{{name}}}" for name in columns}
    laid_out = Table(*cells, title=title, title_justify="left")
    for row in rows:
        laid_out.add_row(*(_Cell().vformat(cell, (), row) for cell in cells.values()))
    results.print(laid_out)


def listed(values: Iterable[object]) -> str:
    """Join values by commas; a dash if there are none."""
    return ", ".join(map(str, values)) or "-"


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
        yield lambda text: note(f"{time.monotonic() - began:7.1f} s  {title}: {text}")
        return
    with people.status(title) as spinner:
        step: tuple[str, float] | None = None

        def end_step() -> None:
            if step:
                people.print(f"[green]✓[/] {step[0]} [dim]{time.monotonic() - step[1]:.1f} s[/]")

        def show(text: str) -> None:
            nonlocal step
            end_step()
            step = (text, time.monotonic())
            spinner.update(f"{title}: {text}")

        yield show
        end_step()
