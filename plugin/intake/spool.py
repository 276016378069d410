"""The spool: received images as the bytes that came, each on the disk before its sender hears of success.

Layout, all below the spool folder and readable by the service's user alone::

    images/<study>/<series>/<image>.dcm   names are hashes of the UIDs
    images/.part-<random>                 being written; swept at start
    conflicts/<image>-<digest>.dcm        came later under the UID of another image; never used
    jobs/<job>/                           what the workflow makes of an acquisition
    index.sqlite, jobs.sqlite             what is where; the durable workflow
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from plugin.config.settings import Disk
from plugin.errors import SpoolError
from plugin.intake.index import ImageRow, Index


class Stored(Enum):
    """What became of an image that was handed to the spool."""

    NEW = "new"
    SAME = "received before with the same content"
    CONFLICT = "received before with other content"


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """An image as it came over the network; UIDs are hashes."""

    image: str
    series: str
    study: str
    association: str
    received_at: float
    file_meta: bytes
    data_set: bytes


class Spool:
    """The folder of received images and its index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._images = folder / "images"
        self._lock = threading.Lock()
        make_private_folder(self._images)
        make_private_folder(folder / "jobs")
        self.index = Index(folder / "index.sqlite")

    def sweep(self) -> int:
        """Remove what was not in the index yet when the service died; its senders never heard of success."""
        known = self.index.paths()
        files = (path for path in self._images.glob("*/*/*.dcm") if str(path.relative_to(self.folder)) not in known)
        stray = [*self._images.glob(".part-*"), *files]
        for path in stray:
            path.unlink(missing_ok=True)
        return len(stray)

    def store(self, incoming: Incoming) -> Stored:
        """Put an image on the disk and into the index.

        Raises
        ------
        OSError
            The disk took it not; nothing is left of it.
        """
        digest = hashlib.sha256(incoming.data_set).hexdigest()
        if (known := self.index.digest_of(incoming.image)) is not None:
            return self._received_before(incoming, digest, known)
        part = self._images / f".part-{uuid.uuid4().hex}"
        try:
            write_durably(part, (incoming.file_meta, incoming.data_set))
            return self._admit(incoming, digest, part)
        finally:
            part.unlink(missing_ok=True)

    def _admit(self, incoming: Incoming, digest: str, part: Path) -> Stored:
        """Give a complete file its name and its row, unless another association was faster."""
        folder = self._images / incoming.study / incoming.series
        with self._lock:
            if (known := self.index.digest_of(incoming.image)) is not None:
                return self._received_before(incoming, digest, known)
            self._make_series_folder(folder)
            path = folder / f"{incoming.image}.dcm"
            part.rename(path)
            sync_folder(folder)
            self.index.add_image(
                ImageRow(
                    image=incoming.image,
                    series=incoming.series,
                    study=incoming.study,
                    path=str(path.relative_to(self.folder)),
                    digest=digest,
                    association=incoming.association,
                    received_at=incoming.received_at,
                )
            )
        return Stored.NEW

    def _received_before(self, incoming: Incoming, digest: str, known: str) -> Stored:
        if known != digest:
            return self._keep_aside(incoming, digest)
        self.index.confirm_image(incoming.image, incoming.association, incoming.received_at)
        return Stored.SAME

    def _keep_aside(self, incoming: Incoming, digest: str) -> Stored:
        """Keep an object whose UID is another's beside the first, for whoever has to find out which is right."""
        folder = self.folder / "conflicts"
        path = folder / f"{incoming.image}-{digest[:16]}.dcm"
        if not path.exists():
            make_private_folder(folder)
            part = self._images / f".part-{uuid.uuid4().hex}"
            try:
                write_durably(part, (incoming.file_meta, incoming.data_set))
                part.rename(path)
                sync_folder(folder)
            finally:
                part.unlink(missing_ok=True)
        self.index.add_conflict(incoming.image, digest, str(path.relative_to(self.folder)), incoming.received_at)
        return Stored.CONFLICT

    def _make_series_folder(self, folder: Path) -> None:
        for level in (folder.parent, folder):
            if not level.exists():
                level.mkdir(mode=0o700, exist_ok=True)
                sync_folder(level.parent)


def shortage(folder: Path, disk: Disk) -> str | None:
    """Say why no more images should be accepted, or nothing while there is room."""
    usage = shutil.disk_usage(folder)
    free_gib, used_percent = usage.free / 2**30, 100 * (1 - usage.free / usage.total)
    if free_gib < disk.reserve_gib:
        return f"{free_gib:.1f} GiB free on the spool's disk, {disk.reserve_gib:.1f} GiB are kept in reserve"
    if used_percent > disk.used_percent:
        return f"the spool's disk is {used_percent:.0f} % full, the limit is {disk.used_percent:.0f} %"
    return None


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
    """Say whether ``make_private_folder`` would succeed, without making anything.

    Raises
    ------
    SpoolError
        It would not.
    """
    nearest = next(level for level in (folder, *folder.parents) if level.exists())
    if not nearest.is_dir():
        raise SpoolError(f"{folder}: {nearest} is no folder; choose another spool")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise SpoolError(f"{folder}: {nearest} is not writable by this user; choose another spool or its rights")


def write_durably(path: Path, chunks: Sequence[bytes]) -> None:
    """Write a new file, readable by its owner alone, and wait until it is on the disk."""
    # Without a file object, whose making costs as much as writing an image.
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        for chunk in chunks:
            left = memoryview(chunk)
            while left:
                left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's new names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
