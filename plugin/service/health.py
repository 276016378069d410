"""Whether the service lives, and whether it is ready for images, with the reasons why it is not."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plugin.config.self_test import own_host
from plugin.config.settings import Settings
from plugin.errors import PluginError
from plugin.intake.index import existing_index
from plugin.intake.spool import shortage
from plugin.jobs.queue import client
from plugin.service.process import CONSOLE, ENGINES_FILE, PROCESSES_FILE
from plugin.service.selftest import last_result

_STALE_SECONDS = 60.0
_CONNECT_SECONDS = 2.0


def processes(host_folder: Path) -> list[dict[str, Any]]:
    """Return the processes of the service as its supervisor reported them last; none if that was long ago."""
    try:
        found = json.loads((host_folder / PROCESSES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    listed: list[dict[str, Any]] = found["processes"]
    return listed if abs(time.time() - found["at"]) < _STALE_SECONDS else []


def why_dead(settings: Settings) -> list[str]:
    """Say why the service should be restarted; nothing while it lives."""
    return [] if processes(settings.host_folder) else ["the supervisor has not reported for a minute"]


def why_not_ready(settings: Settings) -> list[str]:
    """Say why the service cannot take images or turn them into maps, which needs no console; nothing while it can."""
    here = processes(settings.host_folder)
    found = [f"the {one['role']} is being restarted" for one in here if not one["running"] and one["role"] != CONSOLE]
    return [*why_dead(settings), *found, *_obstacles(settings)]


def _obstacles(settings: Settings) -> Iterator[str]:
    try:
        socket.create_connection((own_host(settings), settings.port), timeout=_CONNECT_SECONDS).close()
    except OSError:
        yield f"nobody listens on port {settings.port}"
    try:
        existing_index(settings).close()
    except (PluginError, sqlite3.Error) as error:
        yield f"the index cannot be read: {type(error).__name__}"
    try:
        with client(settings):
            pass
    except Exception as error:  # whatever a database or its driver raises
        yield f"the database of the jobs cannot be reached: {type(error).__name__}"
    if reason := shortage(settings.spool, settings.disk):
        yield reason
    if not (settings.host_folder / ENGINES_FILE).exists():
        yield "the worker has not started yet"
    last = last_result(settings.spool)
    if last is not None and not last.passed:
        yield f"the last self-test failed: {last.reason}"
