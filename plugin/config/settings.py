"""The configuration: one TOML file, read once, validated as a whole, frozen, passed on as an argument."""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from dicom_io.derived.products import REFUSAL_PAGE
from plugin.config.contradictions import SENDER as SENDER
from plugin.config.contradictions import contradictions
from plugin.config.database import with_connecting
from plugin.config.network_settings import CallerHost, Tls
from plugin.config.reconstruction_settings import Reconstruction
from plugin.config.rules import Frozen, Magnet, Name, Rule
from plugin.config.service_settings import Audit, Commitment, Console, Monitoring, Retention, Retry, SelfTest, Work
from plugin.config.switches import ObjectName, Objects
from plugin.errors import ConfigurationError

AETitle = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")
]
"""Application entity title: at most 16 printable ASCII characters, no backslash (PS3.5 §6.2, AE)."""

Port = Annotated[int, Field(ge=1, le=65535)]

ONLY_HOST = "local"
"""Name of a host that shares its spool with no other."""


class Destination(Frozen):
    """A storage SCP that the derived series go to; as many as you like, and one that is down never delays another."""

    name: Name = Field(examples=["pacs"])
    """Name of its deliveries in ``status`` and in the log."""
    ae_title: AETitle = Field(examples=["PACS"])
    """Its AE title."""
    host: str = Field(min_length=1, examples=["10.0.0.2"])
    """Its host name or IP address."""
    port: Port = Field(examples=[104])
    """Its port."""
    objects: tuple[ObjectName, ...] | None = Field(default=None, examples=[["qsm", "swi"]])
    """Which of the objects switched on it gets. Where this is not given, it gets all, of which an Enhanced MR object
    then stands for the classic images of the same map."""
    tls: bool = False
    """Whether the connection is made with the certificates of ``[tls]``."""
    commitment: bool = False
    """Whether it is asked to commit to what it was sent (storage commitment); the delivery is then *committed*. To
    answer on an association of its own, it has to be in ``allowed_callers``."""


class Caller(Frozen):
    """An application entity that may send to us."""

    ae_title: AETitle = Field(examples=["MR1"])
    """Its calling AE title; ``*`` stands for every one."""
    host: CallerHost = Field(default="", examples=["10.0.0.11"])
    """The only IP address it may call from, not a name; empty for any."""
    return_port: Port = 104
    """For ``return_to_sender``: port of its own storage SCP."""
    return_tls: bool = False
    """For ``return_to_sender``: whether its own storage SCP speaks TLS."""


class Disk(Frozen):
    """When new associations and images are refused, before the disk is full."""

    reserve_gib: float = Field(default=2.0, ge=0)
    """Free space below which they are refused."""
    used_percent: float = Field(default=95.0, gt=0, le=100)
    """Used share of the disk above which they are refused."""


class Log(Frozen):
    """What the log looks like."""

    format: Literal["auto", "json", "text"] = "auto"
    """JSON lines, or lines for people; ``auto`` asks whether a terminal watches."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important messages that are written."""


class Settings(Frozen):
    """Everything a site decides."""

    ae_title: AETitle = "QSM"
    """Our AE title, to callers and to destinations."""
    bind: str = Field(default="127.0.0.1", examples=["0.0.0.0"])
    """IP address that the DICOM port is opened on; ``0.0.0.0`` for every address of the machine."""
    port: Port = 11112
    """DICOM port."""
    require_called_aet: bool = True
    """Whether callers must address us by exactly ``ae_title``."""
    allowed_callers: tuple[Caller, ...] = ()
    """Who may send; required as soon as ``bind`` is reachable from another machine."""
    maximum_associations: int = Field(default=10, ge=1, le=250)
    """How many associations are served at once; more are rejected as transient."""
    spool: Path = Field(default=Path("qsm-spool"), examples=["/var/lib/qsm-plugin"])
    """Folder of all received and derived files; relative to the configuration file."""
    database_url: str = Field(default="", examples=["postgresql://qsm@db.example.org/qsm"])
    """Where index and jobs are: empty for files in the spool of one host; PostgreSQL for several hosts."""
    host_name: Name | Literal[""] = Field(default="", examples=["qsm-1"])
    """Tells the hosts of one database apart, at every start the same one; empty for the name of the machine."""
    local_folder: Path | None = Field(default=None, examples=["/var/lib/qsm-plugin-local"])
    """Folder on a local disk, for the receiver's journal and for what the steps of a job exchange; required with
    ``database_url``."""
    worker_name: Name = "worker-1"
    """Tells the workers of one host apart; a restarted worker resumes the jobs of its name."""
    quiet_seconds: float = Field(default=60.0, ge=0)
    """How long nothing of a study must have come before an acquisition of it that is incomplete is given up, and one
    whose scanner states no counts is taken to be complete."""
    largest_gib: float = Field(default=16.0, gt=0)
    """Largest acquisition that is accepted, by its pixels."""
    rules: tuple[Rule, ...] = ()
    """Which acquisitions are reconstructed."""
    otherwise: Literal["reconstruct", "ignore"] = "reconstruct"
    """What is done with acquisitions that no rule fits."""
    magnets: tuple[Magnet, ...] = ()
    """The B0 direction of scanners that are not cylinders."""
    network_silence_seconds: float = Field(default=300.0, gt=0)
    """How long a sender may be silent before its association is aborted."""
    destinations: tuple[Destination, ...] = ()
    """Where the derived series go."""
    return_to_sender: bool = False
    """Whether the console that sent the images receives the map, or a notice that no map was made."""
    sender_objects: tuple[ObjectName, ...] = ("qsm", REFUSAL_PAGE)
    """Which of the objects switched on go back to the sender: a console has room for the map, or for a notice that none
    was made."""
    objects: Objects = Objects()
    """What is made beside the map."""
    profile: Literal["console12", "pacs16"] = "console12"
    """How the map's values are stored: ``console12`` in 12 bits, 1 ppb a step, as consoles expect; ``pacs16`` in 16
    bits, 0.1 ppb a step."""
    window_presets: bool = True
    """Whether the map states the window for haemorrhage after the one for tissue; off for viewers that cannot read two
    windows."""
    withhold_failed_maps: bool = True
    """Whether a map that failed its quality check stays in the spool, and the page with the reasons is delivered in its
    place; else the map is delivered. FAILED stands at the head of the description of each of its series."""
    retry: Retry = Retry()
    work: Work = Work()
    commitment: Commitment = Commitment()
    retention: Retention = Retention()
    monitoring: Monitoring = Monitoring()
    self_test: SelfTest = SelfTest()
    audit: Audit = Audit()
    console: Console = Console()
    disk: Disk = Disk()
    log: Log = Log()
    reconstruction: Reconstruction = Reconstruction()
    connections_per_address: int = Field(default=128, ge=1)
    """How many connections one IP address may have, with and without an association."""
    largest_object_gib: float = Field(default=4.0, gt=0)
    """Largest object that is received; each association may hold so much memory."""
    user_identity: Literal["reject", "ignore"] = "reject"
    """Whether an association that offers a user identity (name, passcode, Kerberos, SAML, JWT) is rejected, or accepted
    without looking at it. No identity is ever checked."""
    storage_commitment_scp: bool = False
    """Whether we answer for images as storage commitment SCP. A scanner may then delete its own, so think of how long
    the spool keeps them, and of its backup."""
    assembler_memory_gib: float = Field(default=8.0, ge=1)
    """Memory limit of the process that reads the headers of what was received."""
    tls: Tls | None = None
    """Certificates of both sides; without them nothing is encrypted."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if mistakes := contradictions(self):
            raise ValueError("\n".join(mistakes))
        return self

    @property
    def job_database_url(self) -> str:
        """URL of the database that the durable workflows live in."""
        if not self.database_url:
            return f"sqlite:///{self.spool / 'jobs.sqlite'}"
        return with_connecting(self.database_url)

    @property
    def host(self) -> str:
        """Name of this host, where there may be others."""
        return (self.host_name or socket.gethostname()) if self.database_url else ONLY_HOST

    @property
    def host_folder(self) -> Path:
        """Folder of what belongs to this host alone, such as its locks."""
        return self.local_folder or self.spool

    @property
    def executor(self) -> str:
        """Name of the worker among all workers."""
        return f"{self.worker_name}@{self.host}" if self.database_url else self.worker_name

    def return_port(self, ae_title: str) -> int:
        """Port of the storage SCP of a caller."""
        caller = self._caller(ae_title)
        return caller.return_port if caller else 104

    def return_tls(self, ae_title: str) -> Tls | None:
        """Certificates for the connection to the storage SCP of a caller, if it speaks TLS."""
        caller = self._caller(ae_title)
        return self.tls if caller and caller.return_tls else None

    def _caller(self, ae_title: str) -> Caller | None:
        callers = {caller.ae_title: caller for caller in self.allowed_callers}
        return callers.get(ae_title, callers.get("*"))


def read_settings(path: Path) -> Settings:
    """Read and validate a configuration file.

    Raises
    ------
    ConfigurationError
        With every mistake of the file, one a line.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        settings = Settings.model_validate(values)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}; check the path and its rights") from error
    except ValidationError as error:
        lines = [*_lines(error), *_further_contradictions(values, error)]
        raise ConfigurationError("\n".join(f"{path}: {line}" for line in lines)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not a TOML file: {error}; correct it there") from error
    folder = path.parent.resolve()
    tls = settings.tls.below(folder) if settings.tls else None
    local = settings.local_folder and (folder / settings.local_folder).resolve()
    placed = {"spool": (folder / settings.spool).resolve(), "local_folder": local, "tls": tls}
    return settings.model_copy(update={**placed, "console": settings.console.below(folder)})


def checked_settings(**values: object) -> Settings:
    """Validate settings that are given on the command line; the others have their defaults.

    Raises
    ------
    ConfigurationError
        With every mistake, one a line.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_lines(error))) from error


def _further_contradictions(values: Mapping[str, Any], error: ValidationError) -> list[str]:
    """List contradictions between values that are each valid, where other values are not."""
    wrong = {str(mistake["loc"][0]) for mistake in error.errors() if mistake["loc"]}
    if wrong:
        try:
            Settings.model_validate({name: value for name, value in values.items() if name not in wrong})
        except ValidationError as contradictions:
            return [line for line in _lines(contradictions) if line.partition(":")[0] not in wrong]
    return []


def _lines(error: ValidationError) -> list[str]:
    lines = []
    for mistake in error.errors():
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in mistake["loc"])
        text = mistake["msg"].removeprefix("Value error, ")
        lines += [f"{where.lstrip('.')}: {line}" if where else line for line in text.splitlines()]
    return lines
