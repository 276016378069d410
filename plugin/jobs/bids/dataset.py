"""The gradient echoes in a BIDS dataset: which files belong together, and what their sidecars say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from plugin.errors import ConfigurationError
from recon.errors import InvalidInputError

_FILE: Final = re.compile(
    r"(?P<stem>sub-[A-Za-z0-9]+(?:_[a-z]+-[A-Za-z0-9]+)*?)(?:_echo-(?P<echo>\d+))?_part-(?P<part>mag|phase)"
    r"(?P<more>(?:_[a-z]+-[A-Za-z0-9]+)*)_(?P<suffix>MEGRE)\.nii(?:\.gz)?"
)
_FOLDERS: Final = ("sub-*/anat", "sub-*/ses-*/anat")


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The magnitude and phase files of one gradient echo.

    Parameters
    ----------
    folder
        Of the subject or session, relative to the dataset: ``sub-01/ses-1``.
    stem
        What the names of its files have in common, without ``echo`` and ``part``: ``sub-01_ses-1_run-2``.
    parts
        Files by part (``"mag"``, ``"phase"``) and number of the echo.
    """

    folder: Path
    stem: str
    parts: dict[tuple[str, int], Path]

    @property
    def pairs(self) -> tuple[tuple[Path, Path], ...]:
        """Magnitude and phase of each echo.

        Raises
        ------
        InvalidInputError
            An echo lacks one of the two.
        """
        echoes = sorted({echo for _, echo in self.parts})
        missing = [f"{part} of echo {n}" for n in echoes for part in ("mag", "phase") if (part, n) not in self.parts]
        if missing:
            raise InvalidInputError(
                f"{self.stem}: {', '.join(missing)} is missing; each echo needs one file with part-mag and one with "
                "part-phase"
            )
        return tuple((self.parts["mag", echo], self.parts["phase", echo]) for echo in echoes)


def find_recordings(dataset: Path) -> tuple[Recording, ...]:
    """Find the multi-echo gradient echoes (``MEGRE``) of every subject and session.

    Raises
    ------
    ConfigurationError
        There is none, or two files are the same part of the same echo.
    """
    found: dict[tuple[Path, str], Recording] = {}
    for path, name in _files(dataset):
        folder, stem = path.parent.parent.relative_to(dataset), name["stem"] + name["more"]
        recording = found.setdefault((folder, stem), Recording(folder=folder, stem=stem, parts={}))
        if recording.parts.setdefault((name["part"], int(name["echo"] or 1)), path) != path:
            raise ConfigurationError(f"{path.name}: there is another file of the same part and echo; keep one of them")
    if not found:
        raise ConfigurationError(
            f"{dataset}: no gradient echo found; expected files such as "
            "sub-01/anat/sub-01_echo-1_part-phase_MEGRE.nii.gz, with part-mag beside part-phase"
        )
    return tuple(found.values())


def sidecar(path: Path, dataset: Path) -> dict[str, Any]:
    """Read what the sidecars say of a file; the nearer and the more specific one prevails (inheritance principle).

    Raises
    ------
    InvalidInputError
        A sidecar is not a JSON object.
    """
    entities, suffix = _entities(path)
    above = [folder for folder in (path.parent, *path.parents) if folder == dataset or dataset in folder.parents]
    values: dict[str, Any] = {}
    for folder in reversed(list(dict.fromkeys(above))):
        named = [(*_entities(file), file) for file in folder.glob("*.json")]
        fitting = [(own, file) for own, its_suffix, file in named if its_suffix == suffix and own <= entities]
        for _, file in sorted(fitting, key=lambda one: (len(one[0]), one[1].name)):
            values |= _json_object(file)
    return values


def _files(dataset: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    for pattern in _FOLDERS:
        for folder in sorted(dataset.glob(pattern)):
            for path in sorted(folder.iterdir()):
                if name := _FILE.fullmatch(path.name):
                    yield path, name


def _entities(path: Path) -> tuple[frozenset[str], str]:
    """Split a file name into its entities and its suffix."""
    *entities, suffix = path.name.partition(".")[0].split("_")
    return frozenset(entities), suffix


def _json_object(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path.name}: the sidecar cannot be read as JSON; correct it") from error
    if not isinstance(values, dict):
        raise InvalidInputError(f"{path.name}: the sidecar is not a JSON object; correct it")
    return values
