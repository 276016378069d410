"""What the commands share: exit statuses, options, and how results and progress are printed."""

from __future__ import annotations

import json
import os
import string
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from plugin.cli.bar import Bar, Typical
from plugin.config.settings import Settings, read_settings
from plugin.errors import NoSuchFolderError

T = TypeVar("T")

DONE, FAILED, USAGE, REFUSED = range(4)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="QSM_PLUGIN_CONFIG", help="Configuration file (TOML)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def _engines() -> list[str]:
    from recon.options import AUTO, ENGINES

    return [AUTO, *ENGINES]


def _methods() -> list[str]:
    from recon.options import METHODS

    return list(METHODS)


EngineOption = Annotated[
    str, typer.Option(autocompletion=_engines, help="Inference engine of the network; an unknown name lists all.")
]
MethodOption = Annotated[
    str, typer.Option(autocompletion=_methods, help="Inversion method; an unknown name lists all.")
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Job, as qsm-plugin status names it.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Number of the simulated subject.")]
VoxelSizeOption = Annotated[
    float | None, typer.Option(min=0.5, max=8.0, help="Smallest voxel edge; the case's own if not given.")
]

people = Console(stderr=True)
"""Everything for people that is not a command's result."""

results = Console()
"""A command's result."""


def examples(lines: Sequence[str]) -> str:
    """Return the epilogue of a command's help that shows examples."""
    return "\n\n".join((f"Example{'s' if len(lines) > 1 else ''}:", *lines))


def load_settings(config: Path | None) -> Settings:
    """Read the configuration, or take the defaults where none is named."""
    return read_settings(config) if config else Settings(spool=Path("qsm-spool").resolve())


def require_folder(folder: Path) -> None:
    """Raise ``NoSuchFolderError`` if a folder does not exist, is a file, or cannot be read."""
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "no such folder"
        raise NoSuchFolderError(f"{folder}: {found}; name a folder with DICOM images")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise NoSuchFolderError(f"{folder}: not readable by this user; change its owner or its rights")


def names_of(given: str) -> list[str]:
    """Return the names in a comma-separated option."""
    return [name.strip() for name in given.split(",") if name.strip()]


def print_json(value: object) -> None:
    """Print one JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def show(found: T, as_json: bool, for_people: Callable[[T], None]) -> None:
    """Print a command's result: as one JSON object, or for people."""
    (print_json if as_json else for_people)(found)


def tell(*lines: str) -> None:
    """Print lines of a command's result, for people."""
    for line in lines:
        results.print(line, soft_wrap=True, markup=False)


def note(*lines: str) -> None:
    """Print lines beside a command's result, for people; they may hold rich's markup."""
    for line in lines:
        people.print(line, soft_wrap=True)


class _Cell(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401 - as the original
        """Leave None empty."""
        return "" if value is None else str(super().format_field(value, format_spec))


def print_table(title: str, rows: Iterable[Mapping[str, object]], columns: Mapping[str, str] | Sequence[str]) -> None:
    """Print a table of values by name, for people; columns without any value are left out.

    ``columns`` gives the format of the cells by heading, ``{"time s": "{seconds:.1f}"}``, or headings alone that are
    names of values.
    """
    formats = columns if isinstance(columns, Mapping) else {name: f"{{{name}}}" for name in columns}
    values = list(rows)
    cells = {heading: [_Cell().vformat(cell, (), value) for value in values] for heading, cell in formats.items()}
    shown = {heading: texts for heading, texts in cells.items() if any(texts)}
    if not shown:
        tell(f"{title}: none")
        return
    laid_out = Table(title=title, title_justify="left")
    for heading in shown:
        number = ":" in formats[heading]
        laid_out.add_column(heading, justify="right" if number else "left", no_wrap=number)
    for row in zip(*shown.values(), strict=True):
        laid_out.add_row(*map(escape, row))
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
def progress_shown(
    title: str, typical: Iterable[Typical] = (), *, as_json: bool = False, is_timed: bool = False
) -> Iterator[Callable[[str], None]]:
    """Show what a long command is doing: a bar with the time left on a terminal, one line for each step elsewhere.

    Nothing is shown beside JSON. Parameters as for ``plugin.cli.bar.Bar``.
    """
    if as_json:
        yield lambda _text: None
        return
    if not people.is_terminal:
        began = time.monotonic()
        yield lambda text: note(f"{time.monotonic() - began:7.1f} s  {title}: {escape(text)}")
        return
    bar = Bar(title=title, typical=typical, is_timed=is_timed)
    with Live(bar, console=people, refresh_per_second=4, transient=True):
        steps: list[tuple[str, float]] = []

        def end_step() -> None:
            for text, since in steps[-1:]:
                people.print(f"[green]✓[/] {escape(text)} [dim]{time.monotonic() - since:.1f} s[/]")

        def begin_step(text: str) -> None:
            end_step()
            steps.append((text, time.monotonic()))
            bar.begin(text)

        yield begin_step
        end_step()
