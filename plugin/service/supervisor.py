"""The supervisor: forks the processes of the service, restarts one that dies, stops them all when told to.

It has one thread and no open connection, so that what it forks begins from a known state.
What runs stands in a file of the spool, for the health checks; systemd is told when all have been started.
"""

from __future__ import annotations

import gc
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from sqlalchemy.exc import OperationalError

from plugin.audit import application_activity, record
from plugin.config.settings import Settings
from plugin.errors import ConfigurationError, PortTakenError
from plugin.files import locked, make_private_folder, write_private_json
from plugin.fork import ForkedProcess, fork
from plugin.intake.recovery import prepare_index
from plugin.jobs.queue import prepare_database
from plugin.log import describe, get_logger
from plugin.service.process import EXIT_CONFIGURATION, PROCESSES_FILE, preload, roles_of, run_forked
from plugin.service.reload import reloaded, uses_change
from plugin.service.reserve import keep_reserve
from plugin.service.systemd import Heartbeat, notify

_POLL_SECONDS = 0.2
_DATABASE_SECONDS = 2.0
_LOOK_SECONDS = 5.0
_STOP_SECONDS = 10.0
_PORT_PATIENCE_SECONDS = 3.0
_LONGEST_PAUSE_SECONDS = 30.0
_HEALTHY_SECONDS = 60.0


@dataclass
class _Child:
    role: str
    process: ForkedProcess
    started: float
    deaths: int = 0
    deaths_in_all: int = 0
    start_again: float | None = None
    kill_at: float | None = None
    """For a child that was told to end so that it starts again with other settings."""


def serve(settings: Settings, config: Path | None = None, each_look: Callable[[], None] = lambda: None) -> int:
    """Run the service until SIGTERM or Ctrl-C; on SIGHUP read the configuration file again.

    Several times a second, when it looks after its processes, it also calls ``each_look``.
    Returns the exit status: 0 after a stop that was asked for, 2 if a process cannot run as configured.

    Raises
    ------
    ConfigurationError
        Another service uses the spool.
    PortTakenError
        The port cannot be listened on.
    """
    os.umask(0o077)
    make_private_folder(settings.spool)
    make_private_folder(settings.host_folder)
    with ExitStack() as held:
        try:
            held.enter_context(locked(settings.host_folder / ".service.lock", wait=False))
        except BlockingIOError as error:
            raise ConfigurationError(
                f"another service already uses the spool {settings.spool}; stop it, or choose another spool"
            ) from error
        check_port(settings)
        stopping, hung_up = threading.Event(), threading.Event()
        signal.signal(signal.SIGHUP, lambda _signal, _frame: hung_up.set())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _signal, _frame: stopping.set())
        if not prepare_databases(settings, stopping):
            return 0
        get_logger().info("service.started", spool=str(settings.spool), pid=os.getpid())
        record(settings, application_activity(settings, started=True))
        try:
            return _supervise(settings, stopping, config, hung_up, each_look)
        finally:
            record(settings, application_activity(settings, started=False))


def prepare_databases(settings: Settings, stopping: threading.Event) -> bool:
    """Prepare index and jobs; wait for PostgreSQL while it is away. False if told to stop meanwhile.

    Raises
    ------
    SpoolError
        A database is of another version.
    """
    while not stopping.is_set():
        try:
            prepare_database(settings)
            prepare_index(settings.spool, settings.database_url)
        except OperationalError as error:
            if not settings.database_url:
                raise
            reason = "PostgreSQL cannot be reached; the service starts when it can"
            get_logger().error("database.away", reason=reason, **describe(error))
            stopping.wait(_DATABASE_SECONDS)
        else:
            return True
    return False


def check_port(settings: Settings) -> None:
    """Try to listen on the port, for a while: a killed predecessor may still be ending.

    Raises
    ------
    PortTakenError
        Another program does, or the address is not this machine's.
    """
    deadline = time.monotonic() + _PORT_PATIENCE_SECONDS
    family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
    while True:
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((settings.bind, settings.port))
                probe.listen(1)
                return
        except OSError as error:
            if time.monotonic() > deadline:
                reason = error.strerror or "the address cannot be used"
                raise PortTakenError(settings.bind, settings.port, reason) from error
        time.sleep(0.1)


def _supervise(
    settings: Settings,
    stopping: threading.Event,
    config: Path | None,
    hung_up: threading.Event,
    each_look: Callable[[], None] = lambda: None,
) -> int:
    preload(settings)
    gc.freeze()  # so that no collection in a child copies the pages that it shares
    children: list[_Child] = []
    heartbeat, looked_at, status = Heartbeat(), -math.inf, 0
    try:
        _start_and_stop(children, settings)
        _report(settings, children)
        notify("READY=1")
        while not stopping.wait(_POLL_SECONDS) and not status:
            heartbeat.beat()
            each_look()
            if hung_up.is_set():
                hung_up.clear()
                settings = _reload(settings, config, children)
            died = [_revive(child, settings) for child in children]
            if EXIT_CONFIGURATION in died:
                status = EXIT_CONFIGURATION
            if any(died) or time.monotonic() - looked_at > _LOOK_SECONDS:
                looked_at = time.monotonic()
                _look_after_spool(settings, children)
    finally:
        notify("STOPPING=1")
        _stop(children)
        (settings.host_folder / PROCESSES_FILE).unlink(missing_ok=True)
        get_logger().info("service.stopped", exit_code=status)
    return status


def _reload(settings: Settings, config: Path | None, children: list[_Child]) -> Settings:
    """Read the configuration again, and tell the processes that it changes to end, so that they start again."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
    new = reloaded(settings, config, check_port)
    for child in children:
        if child.start_again is None and uses_change(child.role, settings, new):
            child.process.send_signal(signal.SIGTERM)
            child.kill_at = time.monotonic() + _STOP_SECONDS
    _start_and_stop(children, new)
    notify("READY=1")
    return new


def _start_and_stop(children: list[_Child], settings: Settings) -> None:
    """Stop the processes that a new configuration does without, and start those that it adds."""
    wanted = roles_of(settings)
    gone = [child for child in children if child.role not in wanted]
    _stop(gone)
    children[:] = [child for child in children if child not in gone]
    running = {child.role for child in children}
    for role in wanted:
        if role not in running:
            children.append(_start(role, settings))  # one by one: those that run are stopped if the next cannot


def _look_after_spool(settings: Settings, children: list[_Child]) -> None:
    try:
        keep_reserve(settings.spool)
        _report(settings, children)
    except OSError as error:  # a full or lost disk; the next look may find it better
        get_logger().error("spool.failed", **describe(error))


def _report(settings: Settings, children: list[_Child]) -> None:
    """Say in the spool which processes run, for the health checks."""
    states = [
        {"role": c.role, "running": c.process.poll() is None, "pid": c.process.pid, "deaths": c.deaths_in_all}
        for c in children
    ]
    write_private_json({"at": time.time(), "processes": states}, settings.host_folder / PROCESSES_FILE)


def _start(role: str, settings: Settings) -> _Child:
    process = fork(partial(run_forked, role, settings, _lifeline()))
    get_logger().debug("process.started", process=role, pid=process.pid)
    return _Child(role=role, process=process, started=time.monotonic())


@cache
def _lifeline() -> tuple[int, int]:
    """Return both ends of a pipe whose second end closes when this process ends, however it ends."""
    return os.pipe()


def _revive(child: _Child, settings: Settings) -> int | None:
    """Return the exit status of a child that just died, and start it again after a pause that grows."""
    now = time.monotonic()
    if child.start_again is None:
        status = child.process.poll()
        if status is None:
            if child.kill_at is not None and now > child.kill_at:
                child.process.send_signal(signal.SIGKILL)
            return None
        if child.kill_at is not None:
            get_logger().info("process.restarted", process=child.role)
            child.start_again, child.kill_at = now, None
            return None
        child.deaths = 0 if now - child.started > _HEALTHY_SECONDS else child.deaths + 1
        pause = min(_LONGEST_PAUSE_SECONDS, 0.5 * 2**child.deaths)
        child.deaths_in_all += 1
        child.start_again = now + pause
        get_logger().error("process.died", process=child.role, exit_code=status, retry_in_seconds=pause)
        return status
    if now >= child.start_again:
        try:
            again = _start(child.role, settings)
        except OSError as error:  # no process or memory to spare; the others go on
            get_logger().error("process.failed", process=child.role, **describe(error))
            child.start_again = now + _LONGEST_PAUSE_SECONDS
            return None
        child.process, child.started, child.start_again = again.process, again.started, None
    return None


def _stop(children: list[_Child]) -> None:
    for child in children:
        child.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    for child in children:
        if child.process.wait(max(0.1, deadline - time.monotonic())) is None:
            get_logger().warning("process.killed", process=child.role)
            child.process.send_signal(signal.SIGKILL)
            child.process.wait(_STOP_SECONDS)
