import os
import socket

import pytest

from plugin.service.systemd import Heartbeat, notify


def test_systemd_is_told_by_datagrams_to_its_socket(tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        notify("READY=1", "STATUS=listening")
        assert systemd.recv(1024) == b"READY=1\nSTATUS=listening"
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        heart = Heartbeat()
        heart.beat()
        heart.beat()  # not due yet
        assert systemd.recv(1024) == b"WATCHDOG=1"
        systemd.settimeout(0.05)
        with pytest.raises(TimeoutError):
            systemd.recv(1024)


def test_without_systemd_nothing_is_told(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nobody/listens")
    notify("READY=1")
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")  # another process is watched
    assert Heartbeat()._every_seconds == 0
