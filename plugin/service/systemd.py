"""What systemd is told of the service (sd_notify): a datagram to the socket that it names in the environment."""

from __future__ import annotations

import os
import socket
import time


def notify(*states: str) -> None:
    """Tell systemd, if it asked to be told: ``"READY=1"``, ``"WATCHDOG=1"``, ``"STOPPING=1"``, ``"STATUS=..."``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto("\n".join(states).encode(), address.replace("@", "\0", 1))
        except OSError:  # systemd is being restarted; the next message reaches it
            return


class Heartbeat:
    """Tells systemd twice in each of its watchdog's intervals that the supervisor is alive."""

    def __init__(self) -> None:
        for_us = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._every_seconds = int(os.environ.get("WATCHDOG_USEC", "0")) / 2e6 if for_us else 0.0
        self._next = time.monotonic()

    def beat(self) -> None:
        """Tell systemd, when it is time."""
        if self._every_seconds and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_seconds
            notify("WATCHDOG=1")
