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
    """A storage SCP that the derived series go to; ``name`` names its deliveries in ``status`` and in the log.

    ``objects`` are those of the objects switched on that it gets, such as ``["qsm", "swi"]``. Where it is not given, it
    gets all, of which an Enhanced MR object then stands for the classic images of the same map. ``tls`` makes the
    connection with the certificates of ``[tls]``. ``commitment`` has it asked to commit to what it was sent; to answer
    on an association of its own, it has to be in ``allowed_callers``.
    """

    name: Name
    ae_title: AETitle
    host: str = Field(min_length=1)
    port: Port
    objects: tuple[ObjectName, ...] | None = None
    tls: bool = False
    commitment: bool = False


class Caller(Frozen):
    """An application entity that may send to us.

    ``"*"`` stands for every calling AE title. ``host`` is the only IP address it may call from; empty means any. For
    ``return_to_sender``, its own storage SCP listens on ``return_port``, with TLS if ``return_tls``.
    """

    ae_title: AETitle
    host: CallerHost = ""
    return_port: Port = 104
    return_tls: bool = False


class Disk(Frozen):
    """When new associations and images are refused, before the disk is full."""

    reserve_gib: float = Field(default=2.0, ge=0)
    used_percent: float = Field(default=95.0, gt=0, le=100)


class Log(Frozen):
    """What the log looks like: JSON lines, or lines for people; ``auto`` asks whether a terminal watches."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Frozen):
    """Everything a site decides.

    Parameters
    ----------
    require_called_aet
        Whether callers must address us by exactly ``ae_title``.
    allowed_callers
        Who may send; required as soon as ``bind`` is reachable from another machine.
    maximum_associations
        How many associations are served at once; more are rejected as transient.
    spool
        Folder of all received and derived files; relative to the configuration file.
    database_url
        Where index and jobs are: empty for files in the spool of one host, else PostgreSQL, which several hosts share.
    host_name
        Tells the hosts of one database apart, at every start the same one; empty for the name of the machine.
    local_folder
        Folder on a local disk, for the receiver's journal and for what the steps of a job exchange; required with
        ``database_url``.
    worker_name
        Tells the workers of one host apart; a restarted worker resumes the jobs of its name.
    quiet_seconds
        How long nothing of a study must have come before an acquisition of it that is incomplete is given up, and one
        whose scanner states no counts is taken to be complete.
    largest_gib
        Largest acquisition that is accepted, in GiB of pixels.
    rules, otherwise
        Which acquisitions are reconstructed, and what is done with those that no rule fits.
    network_silence_seconds
        How long a sender may be silent before its association is aborted.
    objects, sender_objects
        What is made, and what of it goes back to the sender: a console has room for the map, or for a notice that
        none was made.
    profile
        How the map's values are stored: ``console12`` in 12 bits, 1 ppb a step, as consoles expect; ``pacs16`` in
        16 bits, 0.1 ppb a step.
    window_presets
        Whether the map states the window for haemorrhage after the one for tissue; off for viewers that cannot read
        two windows.
    withhold_failed_maps
        Whether a map that failed its quality check stays in the spool, and the page with the reasons is delivered in
        its place; else the map is delivered. FAILED stands at the head of the description of each of its series.
    connections_per_address
        How many connections one IP address may have, with and without an association.
    largest_object_gib
        Largest object that is received, in GiB; each association may hold so much memory.
    user_identity
        Whether an association that offers a user identity (name, passcode, Kerberos, SAML, JWT) is rejected, or
        accepted without looking at it. No identity is ever checked.
    storage_commitment_scp
        Whether we answer for images as storage commitment SCP. A scanner may then delete its own, so think of how long
        the spool keeps them, and of its backup.
    assembler_memory_gib
        Memory limit of the process that reads the headers of what was received.
    tls
        Certificates. The port then speaks TLS and nothing else; destinations have a switch of their own, ``tls``.
    """

    ae_title: AETitle = "QSM"
    bind: str = "127.0.0.1"
    port: Port = 11112
    require_called_aet: bool = True
    allowed_callers: tuple[Caller, ...] = ()
    maximum_associations: int = Field(default=10, ge=1, le=250)
    spool: Path = Path("qsm-spool")
    database_url: str = ""
    host_name: Name | Literal[""] = ""
    local_folder: Path | None = None
    worker_name: Name = "worker-1"
    quiet_seconds: float = Field(default=60.0, ge=0)
    largest_gib: float = Field(default=16.0, gt=0)
    rules: tuple[Rule, ...] = ()
    otherwise: Literal["reconstruct", "ignore"] = "reconstruct"
    magnets: tuple[Magnet, ...] = ()
    network_silence_seconds: float = Field(default=300.0, gt=0)
    destinations: tuple[Destination, ...] = ()
    return_to_sender: bool = False
    sender_objects: tuple[ObjectName, ...] = ("qsm", REFUSAL_PAGE)
    objects: Objects = Objects()
    profile: Literal["console12", "pacs16"] = "console12"
    window_presets: bool = True
    withhold_failed_maps: bool = True
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
    largest_object_gib: float = Field(default=4.0, gt=0)
    user_identity: Literal["reject", "ignore"] = "reject"
    storage_commitment_scp: bool = False
    assembler_memory_gib: float = Field(default=8.0, ge=1)
    tls: Tls | None = None

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
        return f"{self.database_url}{'&' if '?' in self.database_url else '?'}connect_timeout=2"

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
