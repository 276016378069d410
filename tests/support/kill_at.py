"""A process of the service that is killed with -9 before or after its n-th durable operation.

``python -m tests.support.kill_at ROLE N``, settings on standard input as for ``plugin.service.process``. Operations are
what makes something last: ``fsync``, the naming of a file, and statements of SQLite.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from plugin.service.process import main


class Countdown:
    """Kills this process when it has been called so many times, from whatever thread."""

    def __init__(self, left: int) -> None:
        self.left = left
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def around(function: Callable[..., Any], countdown: Countdown) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        countdown()
        result = function(*arguments, **named)
        countdown()
        return result

    return counted


def run(role: str, left: int) -> None:
    countdown = Countdown(left)

    class Cursor(sqlite3.Cursor):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            countdown()
            cursor = super().execute(*arguments)
            countdown()
            return cursor

    class Connection(sqlite3.Connection):
        def cursor(self, factory: type[sqlite3.Cursor] = Cursor) -> sqlite3.Cursor:
            return super().cursor(factory)

    os.fsync, os.replace, os.link = (around(one, countdown) for one in (os.fsync, os.replace, os.link))
    sqlite3.dbapi2.connect = partial(sqlite3.connect, factory=Connection)  # as SQLAlchemy calls it
    sys.argv = ["process", role]
    main()


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
