"""A system clock that jumps, for the processes that are given it; their monotonic clock goes on (libfaketime)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

_CACHED_SECONDS = 1

_SLEEP = """
import select, time
time.sleep = lambda seconds: select.select((), (), (), seconds)
"""
"""Imported by each process at its start: Python sleeps by an absolute time, which libfaketime 0.9.10 gets wrong."""


class WrongClock:
    """A clock that is as far from the right one as a file in a folder says."""

    def __init__(self, folder: Path) -> None:
        library = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
        if library is None:
            pytest.skip("libfaketime is not installed (Debian package libfaketime)")
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_SLEEP)
        self._file = folder / "clock"
        self.ahead_hours = 0.0
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(_CACHED_SECONDS),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # Python's waits would never end
            "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        self._write()

    def jump(self, hours: float) -> None:
        """Set the clock forward, or back, and wait until every process has noticed."""
        self.ahead_hours += hours
        self._write()
        time.sleep(_CACHED_SECONDS + 0.2)

    def _write(self) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(f"{3600 * self.ahead_hours:+.0f}\n")
        part.replace(self._file)
