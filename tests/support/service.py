"""The real service in a process of its own, configured by a real file."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.loopback import LOOPBACK, free_port, wait_for

TEMPLATE = """
{site}
ae_title = "QSM"
port = {port}
spool = "{spool}"
quiet_seconds = {quiet}
destinations = [
    {{ name = "pacs", ae_title = "PACS", host = "{pacs_host}", port = {pacs_port}, objects = {objects} }},{more}
]
reconstruction = {{ method = "tikhonov" }}

[disk]
reserve_gib = 0
used_percent = 100

[retry]
first_seconds = 0.5
longest_seconds = {longest}
probe_seconds = 1
give_up_refused_after_hours = {refused_hours}

[self_test]
at_start = false

[console]
{console}

[log]
format = "json"
level = "debug"
"""

_PORT_TRIES = 3


@dataclass
class Service:
    """A configured service; ``running()`` runs it, as often as a test wants."""

    folder: Path
    quiet_seconds: float = 3.0
    objects: str = '["qsm"]'
    """What the PACS gets, as TOML."""
    switches: str = ""
    """Lines below [objects]."""
    site: str = ""
    """Further lines before all tables, as TOML."""
    shared_spool: Path | None = None
    """The spool, where it is not in the service's own folder."""
    pacs_host: str = LOOPBACK
    more_destinations: str = ""
    """Further destinations, as TOML."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those of this process."""
    namespace: str = ""
    """The network namespace that the service runs in, where it is not this one."""
    console_port: int | None = None
    """Where the operator console is served; nowhere by default."""
    longest_pause_seconds: float = 2.0
    """Between two attempts to deliver."""
    give_up_refused_after_hours: float = 8.0
    port: int = field(default_factory=free_port)
    pacs_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    ready_before: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_config()

    def _write_config(self) -> None:
        text = TEMPLATE.format(
            site=self.site,
            port=self.port,
            spool=self.shared_spool or "spool",
            pacs_host=self.pacs_host,
            pacs_port=self.pacs_port,
            quiet=self.quiet_seconds,
            objects=self.objects,
            more=self.more_destinations,
            longest=self.longest_pause_seconds,
            refused_hours=self.give_up_refused_after_hours,
            console=f"port = {self.console_port}" if self.console_port else "enabled = false",
        )
        text += f"\n[objects]\n{self.switches}\n" if self.switches else ""
        self.config.write_text(text)

    @property
    def config(self) -> Path:
        return self.folder / "site.toml"

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"

    @property
    def spool(self) -> Path:
        return self.shared_spool or self.folder / "spool"

    def command(self, *arguments: str) -> list[str]:
        code = "import sys; from plugin.cli import main; main()"
        within = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        return [*within, sys.executable, "-c", code, *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command with the service's configuration."""
        command = self.command(*arguments, "--config", str(self.config))
        return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)

    def status(self) -> dict[str, Any]:
        """Return what ``qsm-plugin status --json`` prints."""
        found: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return found

    def start(self) -> None:
        """Start the service and wait until it listens; another program may have taken the free port meanwhile."""
        for _ in range(_PORT_TRIES):
            if self._start():
                return
            self.port, self.pacs_port = free_port(), free_port()
            self._write_config()
        raise AssertionError("no port could be listened on")

    def wait_until_ready(self) -> None:
        """Wait until the worker has compiled and loaded what it needs, which takes long on a busy machine."""
        self.wait("worker.ready", times=self.ready_before + 1, seconds=300)

    def _start(self) -> bool:
        seen = self.count("receiver.listening")
        self.ready_before = self.count("worker.ready")
        with self.log.open("ab") as log:
            command = self.command("serve", "--config", str(self.config))
            self.process = subprocess.Popen(
                command, stderr=log, start_new_session=True, env={**os.environ, **self.environment}
            )
        process = self.process
        wait_for(
            lambda: self.count("receiver.listening") > seen or process.poll() is not None,
            seconds=180,
            what="the receiver listens",
        )
        return process.poll() is None

    def kill(self) -> None:
        """Kill every process of the service at once, as a power failure would."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_supervisor(self) -> None:
        """Kill the supervisor alone; the others have to notice."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask the service to stop and return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    @contextlib.contextmanager
    def running(self) -> Iterator[Service]:
        """Run the service."""
        self.start()
        try:
            yield self
        finally:
            self.kill()

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of the log."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def count(self, event: str) -> int:
        """Count the lines of an event."""
        return sum(line["event"] == event for line in self.events())

    def wait(self, event: str, *, times: int = 1, seconds: float = 90) -> dict[str, Any]:
        """Wait for an event and return its last line."""
        wait_for(lambda: self.count(event) >= times, seconds=seconds, what=f"{event} is logged")
        return [line for line in self.events() if line["event"] == event][-1]
