"""Headers of new images: read here, or in a process of its own where reading was interrupted before.

Whether an image was being read when a process died is in the index. Such an image is read again in a process that may
die of it; after two such deaths it is set aside. So no image can stop the others, and no kill costs an image.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from dicom_io.errors import Refusal
from dicom_io.source.attributes import Patterns
from dicom_io.source.header import ImageHeader, read_headers
from plugin.config.settings import Log, Settings
from plugin.config.site import patterns_of, with_field
from plugin.errors import SpoolError
from plugin.intake.index import ImageRow
from plugin.intake.spool import Spool
from plugin.log import configure, describe, get_logger

_DEATHS: Final = 2
"""How many processes may die of an image before it is set aside."""

_LONGEST_SECONDS: Final = 20
"""How long a process may read one image; the slowest header takes a second."""

_READY: Final = b"ready\n"
"""First line of such a process: it does not die of an image before."""

_COMMAND: Final = (sys.executable, "-m", "plugin.intake.reading")

_UNREADABLE = Refusal("unreadable", "The file cannot be read. Send the image again.")
_DEADLY = Refusal("unreadable", "Reading the file ended the program, twice. Report it, with the image.")


def limit_memory(gib: float) -> None:
    """Limit the memory of this process and of those that it starts: an image that needs more is not read."""
    limit = int(gib * 2**30)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class HeaderReader:
    """Reads the headers of the images that the index names as unread, and enters them there."""

    def __init__(self, spool: Spool, settings: Settings) -> None:
        self._spool = spool
        self._settings = settings
        self._patterns = patterns_of(settings.rules)

    def read_new(self) -> tuple[list[ImageRow], set[str]]:
        """Read what is new in studies that nobody else works on.

        Returns the images that were looked at, and the studies that have a usable one more.
        """
        rows = [row for row in self._spool.index.unread_images() if self._spool.index.claim(row.study)]
        if not rows:
            return [], set()
        begun = self._spool.index.begin_reading([row.image for row in rows])
        studies = self._save((row, self._read(row)) for row in rows if row.image not in begun)
        doubtful = [row for row in rows if row.image in begun]
        while doubtful:
            studies |= self._save(self._read_apart(doubtful, begun))
            if doubtful[:1]:  # its process died
                begun[doubtful[0].image] = self._spool.index.count_attempt(doubtful[0].image)
        return rows, studies

    def _save(self, read: Iterable[tuple[ImageRow, Sequence[ImageHeader] | Refusal | None]]) -> set[str]:
        """Enter headers and refusals into the index; return the studies that got a usable image."""
        headers, refused, studies = [], [], set()
        results = list(read)
        senders = self._spool.index.associations(sorted({row.association for row, _ in results}))
        for row, result in results:
            if isinstance(result, Refusal):
                get_logger().warning("image.skipped", image=row.image, code=result.code, reason=result.message)
                refused.append((result.code, result.message, row.image))
            elif result is not None:
                sender = senders.get(row.association)
                placed = with_field(tuple(result), sender.calling_ae if sender else "", self._settings.magnets)
                texts = [replace(header, path=Path(row.path)).to_json() for header in placed]
                headers.append((json.dumps(texts), row.image))
                studies.add(row.study)
        self._spool.index.save_headers(headers, refused)
        return studies

    def _read(self, row: ImageRow) -> Sequence[ImageHeader] | Refusal | None:
        try:
            return read_one(self._spool.folder / row.path, row.digest, self._patterns)
        except MemoryError:  # perhaps not this image's fault: it is read again in a process of its own
            return None

    def _read_apart(
        self, rows: list[ImageRow], begun: dict[str, int]
    ) -> Iterator[tuple[ImageRow, Sequence[ImageHeader] | Refusal]]:
        """Read images one by one in another process, and take each from ``rows`` that it did not die of."""
        while rows and begun[rows[0].image] > _DEATHS:
            yield rows.pop(0), _DEADLY
        if not rows:
            return
        files = [[str(self._spool.folder / row.path), row.digest] for row in rows]
        log = self._settings.log.model_dump(mode="json")
        request = json.dumps({"patterns": dict(self._patterns), "files": files, "log": log}).encode()
        with subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(request)
            process.stdin.close()
            if process.stdout.readline() != _READY:
                raise SpoolError("the process that reads images does not start")
            while rows and (line := process.stdout.readline()).endswith(b"\n"):
                yield rows.pop(0), _decoded(line)


def read_one(path: Path, digest: str, patterns: Patterns) -> Sequence[ImageHeader] | Refusal:
    """Read the headers of an image; ``MemoryError`` is raised, whatever else goes wrong is a refusal."""
    try:
        return read_headers(path, patterns, content_sha256=digest)
    except Refusal as refusal:
        return refusal
    except MemoryError:
        raise
    except Exception as error:  # no object, however damaged, may stop the service
        get_logger().error("image.unreadable", image=path.stem, **describe(error))
        return _UNREADABLE


def _decoded(line: bytes) -> Sequence[ImageHeader] | Refusal:
    told = json.loads(line)
    return Refusal(*told["refusal"]) if "refusal" in told else tuple(map(ImageHeader.from_json, told["headers"]))


def _main() -> None:
    """Read the images that standard input names, and write a line about each."""
    request = json.loads(sys.stdin.buffer.read())
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # nothing else may write there
    configure(Log(**request["log"]), process="header-reader")
    answers.write(_READY)
    patterns = {name: (keyword, glob) for name, (keyword, glob) in request["patterns"].items()}
    for path, digest in request["files"]:
        signal.alarm(_LONGEST_SECONDS)  # whose default action ends the process
        read: Sequence[ImageHeader] | Refusal
        try:
            read = read_one(Path(path), digest, patterns)
        except MemoryError:
            read = Refusal("unreadable", "Reading the file needs more memory than assembler_memory_gib allows.")
        if isinstance(read, Refusal):
            told: dict[str, list[str]] = {"refusal": [read.code, read.message]}
        else:
            told = {"headers": [header.to_json() for header in read]}
        answers.write(json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    _main()
