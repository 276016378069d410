"""Programs that the demonstration and the benchmark run on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from plugin.errors import DeliveryError, PluginError
from plugin.network.entities import Address
from plugin.network.send import echo

ENVIRONMENT = os.environ | {"TCP_NODELAY": "1", "PYTHONUNBUFFERED": "1"}
"""Without TCP_NODELAY, dcmtk's sockets wait 40 ms for every image's acknowledgement."""


def free_port() -> int:
    """Ask the system for a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(peer: Address) -> bool:
    """Say whether a peer answers an echo."""
    try:
        echo(peer, calling_ae="SCANNER")
    except DeliveryError:
        return False
    return True


@contextmanager
def running(
    command: Sequence[str], log: Path, *, ready: Callable[[], bool], seconds: float = 30.0, settings: str = ""
) -> Iterator[None]:
    """Run a program while the context lasts, which begins when the program is ready.

    Parameters
    ----------
    command
        Program and arguments.
    log
        File for its output.
    ready
        Whether it does its work.
    seconds
        How long it may take to get ready.
    settings
        Line on its standard input, which stays open.

    Raises
    ------
    PluginError
        It ended, or was not ready in time.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=ENVIRONMENT)
    assert process.stdin is not None
    with process.stdin:
        try:
            process.stdin.write(settings.encode() + b"\n")
            process.stdin.flush()
            deadline = time.monotonic() + seconds
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise PluginError(f"{command[0]} ended, or was not ready within {seconds:.0f} s; its log is {log}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)
