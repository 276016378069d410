"""Whether a planted patient is named anywhere but in images: in files, their names, databases, command lines, texts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from plugin.config.settings import Settings
from plugin.service.metrics import ServiceCollector

PLANTED = "PLANTED"
"""Begins the name and the number of every patient of the campaigns, and nothing else."""

_NAME = PLANTED.encode()


def check_nobody_is_named(
    *places: Path, settings: Settings | None = None, processes: Sequence[int] = (), texts: Sequence[str | bytes] = ()
) -> None:
    """Check folders and files, the metrics of a service, the command lines of processes and theirs, and texts.

    An image of the places has to name the patient: else nobody was there to be named.
    """
    images, others = [], []
    for place in places:
        paths = [place, *_below(place)]
        assert not [path for path in paths if PLANTED in str(path.relative_to(place))]
        for path in paths:
            with suppress(FileNotFoundError, IsADirectoryError):  # SQLite's journals come and go
                content = path.read_bytes()
                (images if content[128:132] == b"DICM" or path.suffix == ".dcm" else others).append((path, content))
    assert not [path for path, content in others if _NAME in content]
    assert any(_NAME in content for _, content in images), "no image names the planted patient"
    assert not [line for line in _command_lines(processes) if _NAME in line]
    said = [*texts, _metrics(settings)] if settings else texts
    assert not [text for text in said if _NAME in (text if isinstance(text, bytes) else text.encode())]


def _below(place: Path) -> Iterator[Path]:
    """Yield what is below a folder, where folders may vanish meanwhile."""
    for folder, folders, files in os.walk(place):
        yield from (Path(folder) / name for name in (*folders, *files))


def _metrics(settings: Settings) -> bytes:
    registry = CollectorRegistry()
    registry.register(ServiceCollector(settings))
    return generate_latest(registry)


def _command_lines(processes: Sequence[int]) -> Iterator[bytes]:
    """Yield command line and environment of processes, of those they started, and of those of their sessions."""
    wanted = set(processes)
    for folder in Path("/proc").glob("[0-9]*") if wanted else ():
        with suppress(OSError):  # it has ended
            _, parent, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if wanted & {int(folder.name), int(parent), int(session)}:
                yield (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
