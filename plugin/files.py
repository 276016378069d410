"""Files and folders that are whole or absent, on the disk, and for the service's user alone.

Until all of it is on the disk, a file has a temporary name, which begins with ``PART``. After a kill or a power failure
there is the old content or the new one, and at most a file of such a name, which the next attempt replaces.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from plugin.errors import ConfigurationError, SpoolError

PART: Final = ".part-"
"""Beginning of the names of files and folders that are being written."""


def make_private_folder(folder: Path) -> None:
    """Create a folder that only the service's user can read.

    Raises
    ------
    SpoolError
        The folder cannot be created or written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SpoolError(
            f"{folder}: cannot be created: {error.strerror}; choose another spool or its rights"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SpoolError(f"{folder}: not writable by the user of the service; change its owner or its rights")


def check_folder_can_be_made(folder: Path) -> None:
    """Check that ``make_private_folder`` would succeed, without making anything.

    Raises
    ------
    ConfigurationError
        It would not.
    """
    nearest = next(level for level in (folder, *folder.parents) if level.exists())
    if not nearest.is_dir():
        raise ConfigurationError(f"{folder}: {nearest} is not a folder; choose another spool")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"{folder}: {nearest} is not writable by this user; choose another spool or its rights"
        )


@contextmanager
def durable_part(part: Path, chunks: Iterable[bytes]) -> Iterator[Path]:
    """Write a file and wait until it is on the disk; at the end it is removed, unless ``publish`` has renamed it."""
    try:
        # Without a file object, whose making costs as much as writing an image.
        descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        try:
            for chunk in chunks:
                left = memoryview(chunk)
                while left:
                    left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield part
    finally:
        part.unlink(missing_ok=True)


def publish(part: Path, path: Path) -> None:
    """Give a written file its name, in folders that are made where they are missing; name and folders are durable."""
    _make_folders(path.parent)
    part.replace(path)
    _sync(path.parent)


def publish_new(part: Path, path: Path) -> bool:
    """Give a written file its name as ``publish`` does; False if there is a file of this name, which stays."""
    _make_folders(path.parent)
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    _sync(path.parent)
    return True


def write_private_json(value: object, path: Path, *, replacing: bool = True) -> bool:
    """Write JSON to a file, as a whole or not at all; False if it is there and not to be replaced."""
    _make_folders(path.parent)
    content = json.dumps(value, indent=2).encode() + b"\n"
    part = path.with_name(f"{PART}{path.name}" if replacing else f"{PART}{uuid.uuid4().hex}-{path.name}")
    with durable_part(part, [content]):
        if replacing:
            publish(part, path)
            return True
        return publish_new(part, path)


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to be filled with files; at the end it takes the place of ``folder`` as a whole."""
    part = folder.with_name(PART + folder.name)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    yield part
    for path in part.iterdir():
        path.chmod(0o600)
        _sync(path)
    _sync(part)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    _sync(folder.parent)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock that ends with this process, however it ends; no process that it forks shares it.

    Raises
    ------
    BlockingIOError
        Another process holds it, and ``wait`` is off.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    _held.add(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


_held: set[int] = set()
"""Descriptors of the locks that this process holds or waits for."""


def _let_go() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


def _make_folders(folder: Path) -> None:
    missing = list(itertools.takewhile(lambda level: not level.exists(), (folder, *folder.parents)))
    for level in reversed(missing):
        level.mkdir(mode=0o700, exist_ok=True)
        _sync(level.parent)


def _sync(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
