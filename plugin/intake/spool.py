"""The spool: received images as the bytes that came, each on the disk before its sender gets its answer.

Layout, all below the spool folder and readable by the service's user alone::

    images/<study>/<series>/<image>.dcm   names are hashes of the UIDs
    images/.part-<host>-<random>          being written; removed when the receiver of that host starts
    conflicts/<image>-<digest>.dcm        other content under the UID of an image; never read
    quarantine/                           files that are not what their names say; never read
    jobs/<job>/                           what the workflow makes of an acquisition
    index.sqlite, jobs.sqlite             the index; the durable workflow; both in PostgreSQL for several hosts

The images are the truth: an index without them is of no use, but an index that is lost is made again from them (see
:mod:`plugin.intake.recovery`).
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from plugin.config.settings import ONLY_HOST, Disk
from plugin.files import PART, durable_part, make_private_folder, publish, publish_new
from plugin.intake.image_file import content_digest, read_meta
from plugin.intake.index import ImageRow, Index, index_url
from plugin.intake.journal import JOURNAL_FILE, JournaledIndex
from plugin.log import describe, get_logger


class Stored(Enum):
    """What became of an image that was given to the spool."""

    NEW = "new"
    SAME = "received before with the same content"
    CONFLICT = "received before with other content"


class Spool:
    """The folder of received images and its index.

    ``host`` is the one that this process receives on; several hosts share the folder and a ``database_url``. A receiver
    keeps its journal in a ``local_folder``.
    """

    def __init__(
        self, folder: Path, database_url: str = "", host: str = ONLY_HOST, local_folder: Path | None = None
    ) -> None:
        self.folder = folder
        self.host = host
        self._images = folder / "images"
        self._lock = threading.Lock()
        make_private_folder(self._images)
        make_private_folder(folder / "jobs")
        url = index_url(folder, database_url)
        self.index = Index(url) if local_folder is None else JournaledIndex(url, folder, local_folder / JOURNAL_FILE)

    @property
    def part(self) -> str:
        """Beginning of the names of files that are being written on this host."""
        return PART if self.host == ONLY_HOST else f"{PART}{self.host}-"

    def store(self, image: ImageRow, chunks: Sequence[bytes]) -> Stored:
        """Put an image on the disk and into the index.

        Raises
        ------
        OSError
            The write failed; nothing is left behind.
        """
        if self.index.digest_of(image.image) != image.digest or not (self.folder / image.path).exists():
            with durable_part(self._images / f"{self.part}{uuid.uuid4().hex}", chunks) as part, self._lock:
                known = self.index.digest_of(image.image)  # another association may have been faster
                if known is None or (known == image.digest and not (self.folder / image.path).exists()):
                    if publish_new(part, self.folder / image.path):
                        self.index.add_image(image)
                        return Stored.NEW
                    known = self._digest_on_disk(image)
                    if known is None:
                        publish(part, self.folder / image.path)
                    if known in (None, image.digest):
                        self.index.add_image(image)
                        return Stored.NEW if known is None else Stored.SAME
                if known != image.digest:
                    publish(part, self.folder / image.conflict_path)
                    self.index.add_conflict(image.image, image.digest, image.conflict_path, image.received_at)
                    return Stored.CONFLICT
        self.index.confirm_image(image.image, image.association, image.received_at)
        return Stored.SAME

    def _digest_on_disk(self, image: ImageRow) -> str | None:
        """Return the digest of an image that is there without a row: of another host, or while the index is away.

        None for a file that is damaged.
        """
        path = self.folder / image.path
        try:
            return content_digest(path, read_meta(path))
        except Exception as error:  # the parser raises nearly anything
            get_logger().error("image.unreadable", image=image.image, **describe(error))
            return None


def shortage(folder: Path, disk: Disk) -> str | None:
    """Say why no more images should be accepted, or nothing while there is room."""
    usage = shutil.disk_usage(folder)
    free_gib, used_percent = usage.free / 2**30, 100 * (1 - usage.free / usage.total)
    if free_gib < disk.reserve_gib:
        return f"{free_gib:.1f} GiB free on the spool's disk, {disk.reserve_gib:.1f} GiB are kept in reserve"
    if used_percent > disk.used_percent:
        return f"the spool's disk is {used_percent:.0f} % full, the limit is {disk.used_percent:.0f} %"
    return None
