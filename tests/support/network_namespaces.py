"""Hosts as network namespaces of this machine, on a bridge whose own address is that of everything else."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BRIDGE_ADDRESS = "198.18.77.1"
"""Of a network that is kept for tests (RFC 2544)."""

_BRIDGE = "qsm-faults"
_MOST = 3
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """A network namespace with a cable to the bridge, which a test can pull."""

    number: int

    @property
    def name(self) -> str:
        return f"{_BRIDGE}-{self.number}"

    @property
    def address(self) -> str:
        return f"198.18.77.{10 + self.number}"

    def pull_cable(self) -> None:
        """Let neither side notice more than that nothing comes."""
        _ip("link", "set", self.name, "down")

    def plug_cable(self) -> None:
        _ip("link", "set", self.name, "up")

    def enter(self) -> None:
        """Move the calling thread, and those that it starts, into the namespace; it cannot go back."""
        with Path(f"/run/netns/{self.name}").open() as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def namespaces(number: int) -> Iterator[list[Namespace]]:
    """Make namespaces, and remove them with all that runs in them; so are those that a killed run has left.

    The test is skipped where they cannot be made, or where another run has them.
    """
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2")
    with (Path(tempfile.gettempdir()) / f"{_BRIDGE}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.skip("another run has the network namespaces")
        _remove()
        try:
            yield _make(number)
        finally:
            _remove()


def _make(number: int) -> list[Namespace]:
    made = [Namespace(number=n + 1) for n in range(min(number, _MOST))]
    try:
        _ip("netns", "add", made[0].name)
        _ip("link", "add", _BRIDGE, "type", "bridge")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.decode().strip()}")
    _ip("address", "add", f"{BRIDGE_ADDRESS}/24", "dev", _BRIDGE)
    _ip("link", "set", _BRIDGE, "up")
    for one in made:
        if one is not made[0]:
            _ip("netns", "add", one.name)
        _ip("link", "add", one.name, "type", "veth", "peer", "name", "eth0", "netns", one.name)
        _ip("link", "set", one.name, "master", _BRIDGE, "up")
        _ip("-n", one.name, "address", "add", f"{one.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", one.name, "link", "set", device, "up")
    return made


def _remove() -> None:
    for n in range(_MOST):
        name = Namespace(number=n + 1).name
        found = _ip("netns", "pids", name, check=False)
        for pid in map(int, found.split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _ip("netns", "delete", name, check=False)
        _ip("link", "delete", name, check=False)
    _ip("link", "delete", _BRIDGE, check=False)


def _ip(*arguments: str, check: bool = True) -> bytes:
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, timeout=30).stdout
