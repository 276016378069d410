"""The receiver's journal: what it could not write into PostgreSQL, on its own disk until that is back.

An image is on the shared spool before it is recorded, so the database may be away while images arrive. From the first
write that fails, all are appended to a file, each on the disk before its sender gets its answer; a thread repeats them
in their order when the database answers again. Repeating what was already written changes nothing.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError, SQLAlchemyError

from plugin.config.settings import ONLY_HOST
from plugin.files import make_private_folder, publish
from plugin.intake.image_file import content_digest, read_meta
from plugin.intake.index import ImageRow, Index
from plugin.log import describe, get_logger

JOURNAL_FILE: Final = "journal.jsonl"

_POLL_SECONDS: Final = 2.0
_AT_A_TIME: Final = 100
"""Lines that are repeated while receivers wait."""

_AWAY: Final = (OperationalError, InterfaceError, InternalError, ProgrammingError)
"""What is raised when PostgreSQL is away, read-only, full, or without our tables; other errors are about the row."""


class JournaledIndex(Index):
    """The index as a receiver writes it; ``spool`` is its folder, ``file`` the journal's."""

    def __init__(self, url: str, spool: Path, file: Path) -> None:
        super().__init__(url)
        make_private_folder(file.parent)
        self._spool = spool
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._order = threading.Lock()
        self._pending: dict[str, str] = {}
        self._repeated_to = 0
        self._latest = ""
        self._is_older = False
        self._ended = threading.Event()
        self._journaling = os.fstat(self._file).st_size > 0
        while self._journaling:  # what is open on this host is ended next, and must be known
            self._repeat_some()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close database and journal; what is in the journal is repeated at the next start."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            os.close(self._file)
        super().close()

    def is_replaced(self) -> bool:
        """Say whether the database came back older than it was, or without our tables: images have lost their rows."""
        return self._is_older

    def digest_of(self, image: str) -> str | None:
        """Return the digest of an image that was received before; while the database is away, only of one since."""
        if not self._journaling:
            try:
                return super().digest_of(image)
            except _AWAY:
                return None
        return self._pending.get(image)

    def add_image(self, row: ImageRow) -> None:
        """Add a received image."""
        self._record("add_image", asdict(row))

    def open_association(
        self, association: str, calling_ae: str, address: str, now: float, owner: str = ONLY_HOST
    ) -> None:
        """Note that a peer may send images from now on."""
        self._record("open_association", association, calling_ae, address, now, owner)

    def end_association(self, association: str, how: str, now: float) -> None:
        """Note that no more images come on an association."""
        self._record("end_association", association, how, now)

    def confirm_image(self, image: str, association: str, now: float) -> None:
        """Note that an image came again on another association."""
        self._record("confirm_image", image, association, now)

    def add_conflict(self, image: str, digest: str, path: str, now: float) -> None:
        """Note an object that came under the UID of another image."""
        self._record("add_conflict", image, digest, path, now)

    def _record(self, method: str, *values: Any) -> None:  # noqa: ANN401 - JSON values
        with self._order:
            if not self._journaling:
                try:
                    self._apply(method, values)
                except _AWAY as error:
                    self._journaling = True
                    reason = "the database is away; what is received is kept in the journal"
                    get_logger().error("journal.begun", reason=reason, **describe(error))
                else:
                    self._latest = values[0]["image"] if method == "add_image" else self._latest
                    return
            os.write(self._file, json.dumps([method, *values]).encode() + b"\n")
            os.fsync(self._file)
            if method == "add_image":
                self._pending[values[0]["image"]] = values[0]["digest"]

    def _apply(self, method: str, values: Any) -> None:  # noqa: ANN401 - JSON values
        if method == "add_image":
            self._add_received(ImageRow(**values[0]))
        else:
            getattr(super(), method)(*values)

    def _add_received(self, row: ImageRow) -> None:
        """Add an image that may have been added meanwhile, or under whose UID another one was."""
        known = super().digest_of(row.image) if self._journaling else None
        if known is None:
            super().add_image(row)
        elif known == row.digest:
            super().confirm_image(row.image, row.association, row.received_at)
        else:
            file = self._spool / row.path
            if file.exists() and content_digest(file, read_meta(file)) == row.digest:
                publish(file, self._spool / row.conflict_path)
            super().add_conflict(row.image, row.digest, row.conflict_path, row.received_at)

    def _run(self) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            try:
                while self._journaling and not self._ended.is_set():
                    self._look_for_loss()  # also tells, without the lock, whether the server answers
                    self._repeat_some()
            except SQLAlchemyError:
                continue

    def _look_for_loss(self) -> None:
        """Notice a database that is older than what was written into it, or has lost our tables."""
        try:
            if super().digest_of(self._latest) is None and self._latest:
                self._is_older = True
        except ProgrammingError:
            self._is_older = True
            raise

    def _repeat_some(self) -> None:
        """Repeat some lines; after the last one, go on without the journal."""
        with self._order, open(os.dup(self._file), "rb") as lines:
            lines.seek(self._repeated_to)
            for _ in range(_AT_A_TIME):
                line = lines.readline()
                if line.endswith(b"\n"):
                    self._repeat(line)
                    self._repeated_to += len(line)
                    continue
                # The end, or a line whose writing was interrupted, which was not acknowledged.
                os.ftruncate(self._file, 0)
                os.fsync(self._file)
                self._repeated_to, self._journaling = 0, False
                self._pending.clear()
                get_logger().warning("journal.ended", reason="all that was kept is in the database")
                return

    def _repeat(self, line: bytes) -> None:
        try:
            method, *values = json.loads(line)
            self._apply(method, values)
        except _AWAY:
            raise
        except (SQLAlchemyError, ValueError, TypeError) as error:  # the file stays, and is indexed at the next start
            get_logger().error("journal.line_unusable", **describe(error))
