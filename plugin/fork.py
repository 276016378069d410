"""Processes forked from this one.

``multiprocessing`` would wait for them at the end of this process, whatever that ended by, and lose descriptors with
each fork that the system refuses.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WAIT_SECONDS = 0.02


@dataclass(kw_only=True)
class ForkedProcess:
    """A process that :func:`fork` began."""

    pid: int
    _exit_code: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, the signal that ended it as a negative number; None while it runs."""
        if self._exit_code is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # it has ended, and this process was started to ignore how its children end
                self._exit_code = 1
            else:
                self._exit_code = os.waitstatus_to_exitcode(status) if pid else None
        return self._exit_code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Return its exit status once it has ended; None if it does not end in time."""
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(_WAIT_SECONDS)
        return self._exit_code


def fork(main: Callable[[], int]) -> ForkedProcess:
    """Call a function in a process of its own, which ends with the exit status that it returns.

    It begins with SIGTERM, SIGINT and SIGHUP blocked, for the function to unblock when it has handlers for them.
    Nothing else of this process runs in it: neither what follows the fork nor what is registered for the end.

    Raises
    ------
    OSError
        The system has no process or memory to spare.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            _call_and_exit(main)
        return ForkedProcess(pid=pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _call_and_exit(main: Callable[[], int]) -> None:
    status = 1
    try:
        status = main()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
