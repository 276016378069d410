"""Structured log lines: a stable event name, a few known fields, never patient data.

Every field that may appear is listed in ``FIELDS``; a value under any other name is withheld. So no line can carry a
patient attribute by accident, whatever a library puts into an exception.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import MutableMapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO, cast

import structlog

from plugin.files import locked

if TYPE_CHECKING:
    from plugin.config.settings import Log

FIELDS = frozenset({
    "acquisition", "address", "ae_title", "association", "attempt", "bind", "calling_ae", "code", "delivered",
    "deliveries", "destination", "engine", "error", "event", "exit_code", "failed", "image", "images", "job", "level",
    "logger", "method", "object", "part", "pid", "port", "process", "reason", "retry_in_seconds", "seconds", "series",
    "spool", "state", "status", "step", "study", "timestamp", "where",
})  # fmt: skip
"""Names that a log line may use."""

WITHHELD = "(withheld)"

RECENT_FILE = "recent-log.jsonl"
"""In the spool: the latest lines, for the console; lines before them are in a second file of as many bytes."""

_RECENT_BYTES = 1 << 20

_REPEATED = ("pynetdicom.transport", "pynetdicom.acse", "pynetdicom.association", "pynetdicom.dul")
"""Library loggers whose messages repeat an event of ours."""


def uid_hash(uid: str) -> str:
    """Stand-in for a UID in logs, file names and the index: the first 32 hex digits of its SHA-256."""
    return hashlib.sha256(uid.strip("\0 ").encode()).hexdigest()[:32]


def describe(error: BaseException) -> dict[str, str]:
    """Type and place of an unexpected error; not its text, which may quote the data it choked on."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    where = f"{'/'.join(last.filename.split('/')[-2:])}:{last.lineno}" if last else "unknown"
    return {"error": type(error).__name__, "where": where}


def unexpected(error: BaseException) -> str:
    """Sentence about an unexpected error, without its text."""
    return "unexpected {error} at {where}; please report it".format(**describe(error))


def _restrict(process: str, _logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Put the process's name into a line, leave empty fields out, and withhold what ``FIELDS`` does not list."""
    named = {"process": process, **event}.items()
    return {name: value if name in FIELDS else WITHHELD for name, value in named if value is not None}


def recent_lines(folder: Path, limit: int) -> list[dict[str, Any]]:
    """Return the latest lines that the processes of the service have logged, the latest first."""
    found: list[dict[str, Any]] = []
    for path in (folder / RECENT_FILE, _previous(folder / RECENT_FILE)):
        with contextlib.suppress(OSError):
            for line in reversed(path.read_bytes().splitlines()):
                if len(found) == limit:
                    break
                with contextlib.suppress(ValueError):  # a line of which a full disk took only the beginning
                    found.append(json.loads(line))
    return found


def _keep(path: Path, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep a line in the file of the latest lines, which all processes share; a disk that takes none stops nothing."""
    named = {**event, "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds")}
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, json.dumps(named, sort_keys=True, default=str).encode() + b"\n")
            full = os.fstat(descriptor).st_size > _RECENT_BYTES
        finally:
            os.close(descriptor)
        if full:
            with locked(path.with_suffix(".lock")):
                if path.stat().st_size > _RECENT_BYTES:  # no other process was faster
                    path.replace(_previous(path))
    return event


def _previous(path: Path) -> Path:
    return path.with_suffix(".1.jsonl")


class _StandardError:
    """Standard error, without which the service goes on: its disk may be full, or its reader gone."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


class _Library(logging.Handler):
    """Library loggers reach our log by name, level and place alone: their texts may quote data."""

    def emit(self, record: logging.LogRecord) -> None:
        line = get_logger().bind(logger=record.name, where=f"{record.module}:{record.lineno}")
        error = record.exc_info[0] if record.exc_info else None
        line.log(record.levelno, "library.message", error=error and error.__name__)


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object, **_named: object
) -> None:
    """Replace ``warnings.showwarning``, whose text may quote the value warned of."""
    where = f"{'/'.join(filename.split('/')[-2:])}:{lineno}"
    get_logger().warning("library.message", logger="warnings", error=category.__name__, where=where)


def _died(_type: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    """Replace ``sys.excepthook``."""
    get_logger().critical("process.failed", **describe(error))


def _thread_died(args: threading.ExceptHookArgs) -> None:
    """Replace ``threading.excepthook``."""
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        get_logger().critical("thread.failed", **describe(args.exc_value))


def configure(log: Log, *, process: str, recent_in: Path | None = None) -> None:
    """Send log lines to standard error, and through the log what libraries, warnings and uncaught errors write.

    The latest lines are also kept in a file of the folder ``recent_in``.
    """
    recent = [partial(_keep, recent_in / RECENT_FILE)] if recent_in else []
    text = log.format == "text" or (log.format == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(sort_keys=True)
    if text:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if text else "iso", utc=not text),
            partial(_restrict, process),
            *recent,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[log.level.upper()]),
        # Line and end of line in one write: several processes share standard error.
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _StandardError())),
        cache_logger_on_first_use=False,
    )
    library = _Library(level=logging.WARNING)
    logging.getLogger().handlers[:] = [library]
    own_console = logging.getLogger("dbos")  # would print to standard error unless it has a handler
    own_console.handlers[:], own_console.propagate = [library], False
    for name in _REPEATED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.captureWarnings(False)
    warnings.showwarning = _warned
    sys.excepthook = _died
    threading.excepthook = _thread_died


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return the log of this process; call it where a line is written, not at import."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
