"""What a site decides about how the service works: deliveries, jobs, retention, monitoring, self-test, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from plugin.config.rules import Frozen


class Retry(Frozen):
    """When a failed delivery is tried again: exponentially later, with jitter, for a limited time."""

    first_seconds: float = Field(default=5.0, gt=0)
    """Pause after the first attempt; each further one is twice as long."""
    longest_seconds: float = Field(default=900.0, gt=0)
    """Longest pause between two attempts."""
    give_up_after_hours: float = Field(default=24.0, gt=0)
    """How long after it was queued a delivery is given up, however long its attempts took. Counted while the service
    runs, by the monotonic clock: neither a clock that jumps nor a host that sleeps ends a delivery."""
    give_up_refused_after_hours: float = Field(default=8.0, gt=0)
    """How long after a destination first refused the objects themselves a delivery is given up: somebody has to allow
    them there."""
    probe_seconds: float = Field(default=30.0, gt=0, le=60)
    """How often a destination that is away is asked whether it is back (C-ECHO); its deliveries then go at once."""


class Commitment(Frozen):
    """How destinations with ``commitment`` are asked whether they have stored what was sent."""

    answer_minutes: float = Field(default=30.0, gt=0)
    """How long an answer is waited for before the destination is asked again."""
    requests: int = Field(default=3, ge=1)
    """How often a destination is asked. Then the images that it lists (C-FIND) stand in for an answer, and where it
    lists none, the delivery stays as sent."""


class Work(Frozen):
    """How jobs are run."""

    step_minutes: float = Field(default=60.0, gt=0)
    """Longest time for one step; the worker is then restarted, which counts as one of the ``crashes``."""
    crashes: int = Field(default=3, ge=0)
    """How often a reconstruction during which the worker died is begun again: its images may be what kills it. Where
    the whole service ended, as in a power cut, it does not count: up to ten times in a row during one step, and with
    several hosts only if the host is back within a minute."""
    reserve_gib: float = Field(default=0.5, ge=0)
    """Free space that a job leaves on the spool's disk; a job that needs more waits."""
    urgent_callers: tuple[str, ...] = Field(default=(), examples=[["STROKE*"]])
    """Globs of the calling AE titles whose acquisitions go first, two of them for one of the others."""


class Retention(Frozen):
    """How long originals and results stay in the spool once nothing more is to be done with them."""

    keep_days: float = Field(default=30.0, ge=0)
    """Days for which the service ran since it found a study delivered, or that nothing of it is to be reconstructed.
    What could not be delivered, what a destination with ``commitment`` has not confirmed, and what failed or is
    incomplete, stays."""
    committed_days: float = Field(default=3650.0, ge=0)
    """The same for a study of which we answered for images as storage commitment SCP, which no full disk shortens."""
    clean_at_used_percent: float = Field(default=85.0, gt=0, le=100)
    """How full the spool's disk may be before delivered studies are removed earlier, the oldest first."""


class Monitoring(Frozen):
    """Where ``/metrics``, ``/healthz`` and ``/readyz`` are served."""

    bind: str = "127.0.0.1"
    """Address that the port is opened on; ``0.0.0.0`` for every address of the machine."""
    port: int | None = Field(default=None, ge=1, le=65535, examples=[9104])
    """Port; nothing is served unless one is given."""


class SelfTest(Frozen):
    """When a phantom goes the whole way through the service and back; ``qsm-plugin self-test`` does it at once."""

    at_start: bool = True
    """Whether it runs after each start of the service."""
    every_hours: float = Field(default=24.0, gt=0)
    """How often it runs while the service does."""
    limit_minutes: float = Field(default=30.0, gt=0)
    """How long its map may take, the jobs before it included."""


class Audit(Frozen):
    """Where audit messages (PS3.15 A.5) go; they name patients, and are kept in the spool until they are there."""

    to: Literal["nowhere", "file", "syslog"] = Field(default="nowhere", examples=["file"])
    """``file``: each message is appended to ``file`` as one line. ``syslog``: messages go to a collector by TLS (RFC
    5425)."""
    file: Path = Path("audit.log")
    """File of the messages, relative to the spool."""
    host: str = Field(default="", examples=["audit.example.org"])
    """Host name of the collector; required with ``syslog``."""
    port: int = Field(default=6514, ge=1, le=65535)
    """Port of the collector."""
    authorities: Path | None = Field(default=None, examples=["/etc/qsm-plugin/audit-authorities.pem"])
    """PEM file of who signs the collector's certificate; the system's authorities if not given."""
    certificate: Path | None = Field(default=None, examples=["/etc/qsm-plugin/audit.pem"])
    """PEM file of our certificate, if the collector asks for one."""
    key: Path | None = Field(default=None, examples=["/etc/qsm-plugin/audit.key"])
    """PEM file of our key, if the collector asks for one."""
    source: str = "qsm-plugin"
    """Name of this installation in the messages."""

    @model_validator(mode="after")
    def _has_collector(self) -> Self:
        if self.to == "syslog" and not self.host:
            raise ValueError('host: missing; name the collector, or write to = "file"')
        return self


Role = Literal["viewer", "operator", "administrator"]
"""What a user of the console may do: look, act on jobs, change users; each may also do what those before may."""


class Console(Frozen):
    """The operator console: pages in a browser that show what the service does, with users and roles of their own."""

    enabled: bool = True
    """Whether it is served."""
    bind: str = "127.0.0.1"
    """IP address that it is served on. One that other machines reach needs ``certificate`` and ``key``."""
    port: int = Field(default=8112, ge=1, le=65535)
    """Port."""
    certificate: Path | None = Field(default=None, examples=["tls/console.pem"])
    """PEM file of the certificate of the console alone, relative to the configuration file. The pages are then served
    with TLS 1.2 or 1.3 and with nothing else. A file that changes is read again."""
    key: Path | None = Field(default=None, examples=["tls/console.key"])
    """PEM file of its key, readable by the service's user alone; relative to the configuration file."""
    plain_http: bool = False
    """Whether other machines may reach it without TLS: passwords and images then cross the network unencrypted."""
    hosts: tuple[str, ...] = Field(default=(), examples=[["qsm.example.org"]])
    """Names under which browsers reach it, beside this machine's own name; IP addresses are always accepted."""
    session_hours: float = Field(default=12.0, gt=0)
    """How long a user stays signed in."""
    patient_names: tuple[Role, ...] = Field(default=(), examples=[["operator"]])
    """Roles that see names and numbers of patients; nobody does unless a role is listed here."""

    @property
    def address(self) -> str:
        """Where a browser on this machine reaches it."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
        host = everywhere.get(self.bind, f"[{self.bind}]" if ":" in self.bind else self.bind)
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}/"

    @model_validator(mode="after")
    def _has_both_files(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key: give both, or neither")
        return self

    def below(self, folder: Path) -> Self:
        """Return the settings with paths relative to a folder."""
        files = {name: path and folder / path for name in ("certificate", "key") for path in (getattr(self, name),)}
        return self.model_copy(update=files)
