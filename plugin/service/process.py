"""What each process of the service does; the supervisor forks them.

``python -m plugin.service.process ROLE``, its settings as JSON on standard input, runs one of them on its own. One
whose supervisor died, or whose standard input was closed, ends at once: what it was doing is done again after the next
start, and its port and its locks are free for that.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from setproctitle import setproctitle

from plugin.config.self_test import with_self_test
from plugin.config.settings import Settings
from plugin.errors import ConfigurationError, PluginError, PortTakenError
from plugin.files import locked, write_private_json
from plugin.log import configure, describe, get_logger
from recon.errors import ReconError

if TYPE_CHECKING:
    from plugin.jobs.place import Lease
    from recon.engines.choose import EngineAttempt

ENGINES_FILE = "engines.json"
"""In the spool: what became of each inference engine when the worker started."""

PROCESSES_FILE = "processes.json"
"""In the spool, while the service runs: which of its processes do."""

CONSOLE = "console"
"""The one process that a site may do without."""

EXIT_CONFIGURATION = 2
"""Exit status of a process that a restart would not help."""


def run_receiver(settings: Settings, stopping: threading.Event) -> None:
    """Receive images until told to stop."""
    from plugin.intake.receiver import start_receiver
    from plugin.intake.spool import Spool
    from plugin.service.leases import hold_lease

    hold_lease(settings, settings.host, "receiver")
    journal = settings.local_folder if settings.database_url else None
    spool = Spool(settings.spool, settings.database_url, settings.host, journal)
    server = start_receiver(settings, spool)
    stopping.wait()
    server.shutdown()
    spool.index.close()


def run_assembler(settings: Settings, stopping: threading.Event) -> None:
    """Turn received images into jobs until told to stop."""
    from dicom_io.derived.products import REFUSAL_PAGE
    from plugin.intake.assembly import Assembler
    from plugin.intake.reading import limit_memory
    from plugin.intake.spool import Spool
    from plugin.jobs.queue import REFUSE, client, known_jobs, submit
    from plugin.jobs.work.lanes import Lanes

    limit_memory(settings.assembler_memory_gib)
    spool = Spool(settings.spool, settings.database_url, settings.host)
    with closing(spool.index), client(settings) as connected:
        refuse = partial(submit, connected, workflow=REFUSE) if REFUSAL_PAGE in settings.objects.names else None
        assembler = Assembler(spool, Lanes(settings, connected).submit, settings=settings, refuse=refuse)
        assembler.submit_lost(known_jobs(connected))
        get_logger().info("assembler.ready")
        assembler.run(stopping.is_set)


def run_worker(settings: Settings, stopping: threading.Event) -> None:
    """Run jobs until told to stop; a step in progress is left, and run again after the next start."""
    from plugin.jobs.durable import launch, reconstructing
    from plugin.jobs.place import discard_stale_work
    from recon.options import Options
    from recon.pipeline import warm_up

    _be_killed_first()
    options = Options(**dict(settings.reconstruction))
    began = time.monotonic()
    attempts = warm_up(options)
    report_engines(settings, attempts)
    with _working_as(settings, settings.executor, stopping) as lease:
        if settings.local_folder is not None:
            discard_stale_work(settings.local_folder / settings.executor)
        launch(settings, settings.executor, reconstructing(settings, options, lease))
        seconds = round(time.monotonic() - began, 1)
        get_logger().info("worker.ready", method=options.method, engine=options.engine, seconds=seconds)


def _be_killed_first() -> None:
    """Have the system end this process before others of the service when memory runs out: it needs the most."""
    with suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("500")


def run_deliverer(settings: Settings, stopping: threading.Event) -> None:
    """Deliver what the workers made until told to stop; an association in progress is cut, and its files sent again."""
    from plugin.jobs.delivery.answers import Answers
    from plugin.jobs.delivery.contacts import Contacts, Probes
    from plugin.jobs.durable import delivering, launch

    contacts = Contacts(settings.retry.probe_seconds)
    name = f"{settings.executor}+deliverer"
    with _working_as(settings, name, stopping):
        launch(settings, name, delivering(settings, contacts))
        Probes(settings, contacts).start()
        Answers(settings).start()
        get_logger().info("deliverer.ready")


def run_monitor(settings: Settings, stopping: threading.Event) -> None:
    """Serve metrics and health, keep house in the spool and run the self-test until told to stop."""
    from plugin.service.monitor import Monitor, served

    with served(settings):
        Monitor(settings).run(stopping)


def run_console(settings: Settings, stopping: threading.Event) -> None:
    """Serve the operator console until told to stop."""
    from plugin.service.console.server import serve_console

    serve_console(settings, stopping)


@contextmanager
def _working_as(settings: Settings, executor: str, stopping: threading.Event) -> Iterator[Lease]:
    """Begin to run workflows in the block, watch over them until told to stop, and hand back those that run.

    Yields the lease under which that is done where there are other hosts.
    A killed predecessor of the same name may still be in a computation; two must not share its workflows.
    """
    from plugin.jobs.work.interruptions import excuse_interrupted
    from plugin.jobs.work.watchdog import Watchdog, hand_back
    from plugin.service.leases import hold_lease

    with locked(settings.host_folder / f".{executor}.lock"):
        excuse_interrupted(settings, executor)
        yield hold_lease(settings, executor, "worker")
        Watchdog(settings, executor).start()
        stopping.wait()
        try:
            for name in hand_back(settings, executor):
                get_logger().info("job.handed_back", job=name)
        finally:
            os._exit(0)


def report_engines(settings: Settings, attempts: Sequence[EngineAttempt]) -> None:
    """Report which engine runs and why others do not: in the log, and in the spool for ``status``."""
    for attempt in attempts:
        log = {"refused": get_logger().warning, "ready": get_logger().info}.get(attempt.state, get_logger().debug)
        log("engine." + attempt.state, engine=attempt.name, reason=attempt.reason)
    states = [{"name": a.name, "state": a.state, "reason": a.reason} for a in attempts]
    write_private_json(states, settings.host_folder / ENGINES_FILE)


ROLES: dict[str, Callable[[Settings, threading.Event], None]] = {
    "receiver": run_receiver,
    "assembler": run_assembler,
    "worker": run_worker,
    "deliverer": run_deliverer,
    "monitor": run_monitor,
    CONSOLE: run_console,
}
"""The processes of the service, in the order of their start."""


def roles_of(settings: Settings) -> list[str]:
    """Return the processes that a site wants."""
    return [role for role in ROLES if role != CONSOLE or settings.console.enabled]


def preload(settings: Settings) -> None:
    """Import what the processes of a site share, so that those forked afterwards begin at once and share its memory.

    PyTorch is not among it: its threads do not outlive a fork.
    """
    for name in ("intake.receiver", "intake.assembly", "jobs.durable", "jobs.delivery.answers", "service.monitor"):
        import_module(f"plugin.{name}")
    if settings.console.enabled:
        with suppress(Exception):  # the console says so itself, and the others do without it
            import_module("plugin.service.console.server")


def run_forked(role: str, settings: Settings, lifeline: tuple[int, int]) -> int:
    """Run one role in a process that the supervisor has forked; return its exit status.

    ``lifeline`` is a pipe whose second end is to be the supervisor's alone.
    """
    os.close(lifeline[1])
    try:
        run(role, settings, lifeline[0])
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1
    except BaseException as error:
        get_logger().error("process.failed", **describe(error))
        return 1
    return 0


def main() -> None:
    """Run one role."""
    lifeline = os.dup(0)
    with os.fdopen(lifeline, "rb", buffering=0, closefd=False) as stream:
        settings = Settings.model_validate_json(stream.readline())
    run(sys.argv[1], settings, lifeline)


def run(role: str, settings: Settings, lifeline: int) -> None:
    """Run one role until told to stop, or until the supervisor's end of a pipe closes."""
    setproctitle(f"qsm-plugin {role}")
    _close_standard_input()
    os.umask(0o077)
    configure(settings.log, process=role, recent_in=settings.host_folder)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C reaches the whole group; the supervisor decides
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stopping.set())
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    threading.Thread(target=_end_with_supervisor, args=(lifeline,), daemon=True).start()
    try:
        ROLES[role](with_self_test(settings), stopping)
    except (PluginError, ReconError) as error:
        get_logger().error("process.failed", reason=str(error))
        sys.exit(EXIT_CONFIGURATION if isinstance(error, ConfigurationError | PortTakenError) else 1)
    except Exception as error:
        get_logger().error("process.failed", **describe(error))
        sys.exit(1)


def _close_standard_input() -> None:
    """Leave nothing on descriptor 0, so that no library and no child process of one reads from it."""
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)


def _end_with_supervisor(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
