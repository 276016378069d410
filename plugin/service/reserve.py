"""Space that the databases have for themselves: a file that gives way when the disk is full."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from plugin.log import get_logger

RESERVE_FILE = ".reserve"
RESERVE_BYTES = 64 * 2**20
_FULL_BYTES = 16 * 2**20
"""Free space below which the databases could fail to record what they are told."""


def keep_reserve(spool: Path) -> None:
    """Give the reserve away on a full disk, and take it again when there is room for it twice over."""
    reserve, free = spool / RESERVE_FILE, shutil.disk_usage(spool).free
    if free < _FULL_BYTES and reserve.exists():
        reserve.unlink()
        get_logger().error("disk.full", reason="the reserve is given to the databases; free space on the spool's disk")
    elif free > _FULL_BYTES + 2 * RESERVE_BYTES and not reserve.exists():
        _allocate(reserve)


def _allocate(reserve: Path) -> None:
    part = reserve.with_name(".part-reserve")
    descriptor = os.open(part, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        part.rename(reserve)
    finally:
        os.close(descriptor)
