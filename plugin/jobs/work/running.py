"""What this process is working on: its workflows, and the step that each is in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from dbos import DBOS
from sqlalchemy.exc import DBAPIError


class NotRecordedError(BaseException):
    """The database did not take what a workflow had to record, as on a full disk.

    Not an ``Exception``, whose end would be recorded as the workflow's: it is to continue when the database is back.
    """


class Running(NamedTuple):
    """A workflow that runs in this process, its step (empty between steps) and since when, by the monotonic clock."""

    workflow: str
    step: str
    since: float


_lock = threading.Lock()
_running: dict[str, Running] = {}


def running() -> tuple[Running, ...]:
    """Return what runs now."""
    with _lock:
        return tuple(_running.values())


@contextmanager
def noted_workflow() -> Iterator[None]:
    """Note that the current workflow runs, until the end of the block.

    Raises
    ------
    NotRecordedError
        The database failed; the watchdog has the workflow continued.
    """
    name = _current()
    _note(Running(workflow=name, step="", since=time.monotonic()))
    try:
        yield
    except DBAPIError as error:
        raise NotRecordedError(type(error.orig).__name__) from error
    finally:
        with _lock:
            _running.pop(name, None)


@contextmanager
def noted_step(step: str) -> Iterator[None]:
    """Note that the current workflow is in a step, until the end of the block."""
    _note(Running(workflow=_current(), step=step, since=time.monotonic()))
    try:
        yield
    finally:
        _note(Running(workflow=_current(), step="", since=time.monotonic()))


def _note(one: Running) -> None:
    with _lock:
        _running[one.workflow] = one


def _current() -> str:
    return DBOS.workflow_id or ""
