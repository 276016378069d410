"""Where engines are kept between runs, and how two processes do not build the same one at once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recon.errors import EngineError

ENGINES_VARIABLE = "QSM_PLUGIN_ENGINES"
"""Names the folder of engine files, where it is not in the user's cache."""


def cache_folder(kind: str) -> Path | None:
    """Return the folder ``qsm-plugin/KIND`` in the cache of the user who runs, or None where there can be none."""
    base = os.environ.get("CACHE_DIRECTORY") or os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(base) if base else Path.home() / ".cache") / "qsm-plugin" / kind
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError):
        return None  # a service without a home compiles again at every start, which takes a second
    return folder if os.access(folder, os.W_OK) else None


def engines_folder() -> Path:
    """Return where engine files are looked for and written to.

    Raises
    ------
    EngineError
        If there is no such folder and none can be made.
    """
    named = os.environ.get(ENGINES_VARIABLE)
    folder = Path(named) if named else cache_folder("engines")
    if folder is None:
        raise EngineError(f"there is no folder for engine files; name one in {ENGINES_VARIABLE}")
    return folder


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Let one process at a time build what is called ``name``; the others wait.

    The lock is the kernel's, on an open file: it ends with the process, whatever ends that.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / f".{name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
