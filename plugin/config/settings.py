"""The configuration: one TOML file, read once, validated as a whole, frozen, handed on as an argument."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from dicom_io.derived.products import REFUSAL_PAGE
from plugin.config.rules import Frozen, Magnet, Name, Rule
from plugin.config.switches import ObjectName, Objects
from plugin.errors import ConfigurationError

SENDER = "sender"
"""Name of the destination that is whoever sent the images."""

AETitle = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")
]
"""Application entity title: at most 16 printable ASCII characters, no backslash (PS3.5 §6.2, AE)."""

Port = Annotated[int, Field(ge=1, le=65535)]

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Destination(Frozen):
    """A storage SCP that the derived series go to.

    Parameters
    ----------
    name
        What people call it; it names the delivery in ``status`` and in the log.
    ae_title, host, port
        Where it listens.
    objects
        Which of the objects that are switched on it gets, such as ``["qsm", "swi"]``; all of them where it is not
        given, of which an Enhanced MR object then stands for the classic images of the same map.
    """

    name: Name
    ae_title: AETitle
    host: str = Field(min_length=1)
    port: Port
    objects: tuple[ObjectName, ...] | None = None


class Caller(Frozen):
    """An application entity that may send to us.

    Parameters
    ----------
    ae_title
        Its calling AE title; ``"*"`` stands for every title.
    host
        The only IP address it may call from; empty means any.
    return_port
        Where its own storage SCP listens, for ``return_to_sender``.
    """

    ae_title: AETitle
    host: str = ""
    return_port: Port = 104


class Retry(Frozen):
    """When a failed delivery is tried again: exponentially later, with jitter, for a limited time."""

    first_seconds: float = Field(default=5.0, gt=0)
    longest_seconds: float = Field(default=900.0, gt=0)
    give_up_after_hours: float = Field(default=24.0, gt=0)


class Disk(Frozen):
    """When new associations and images are refused, before the disk is full."""

    reserve_gib: float = Field(default=2.0, ge=0)
    used_percent: float = Field(default=95.0, gt=0, le=100)


class Log(Frozen):
    """What the log looks like: JSON lines, or lines for people; ``auto`` asks whether a terminal watches."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Reconstruction(Frozen):
    """How the total field is inverted, as in ``recon.options.Options``."""

    method: str = "network"
    engine: str = "auto"
    fallback: str = "lbv-hd-qsm"


class Settings(Frozen):
    """Everything a site decides.

    Parameters
    ----------
    ae_title, bind, port
        Who we are on the network and where we listen.
    require_called_aet
        Whether callers must address us by exactly ``ae_title``.
    allowed_callers
        Who may send; required as soon as ``bind`` is reachable from another machine.
    maximum_associations
        How many associations are served at once; more are rejected as transient.
    spool
        Folder of all received and derived files; relative to the configuration file.
    database_url
        Where the job states are: empty for an SQLite file in the spool, else a PostgreSQL URL.
    worker_name
        Tells the workers of one database apart; a restarted worker resumes the jobs of its name.
    quiet_seconds
        How long to wait for the rest of an incomplete acquisition.
    largest_gib
        Largest acquisition that is accepted, in GiB of pixels.
    rules, otherwise
        Which acquisitions are ours, and what is done with those that no rule fits.
    magnets
        Scanners whose main field is not along the patient's head-foot axis.
    network_silence_seconds
        After how long without a word from the sender an association is aborted.
    destinations, return_to_sender
        Where the derived series go.
    sender_objects
        What goes back to the sender: a console has room for the map, or for a notice that none was made.
    objects
        What is made.
    profile
        How the map's values are stored: ``console12`` in 12 bits, 1 ppb a step, as consoles expect; ``pacs16`` in
        16 bits, 0.1 ppb a step.
    window_presets
        Whether the map states the window for haemorrhage after the one for tissue; off for viewers that cannot read
        two windows and choose one of their own instead.
    withhold_failed_maps
        Whether a map that failed its quality check is withheld, and the page with the reasons delivered in its place.
    """

    ae_title: AETitle = "QSM"
    bind: str = "127.0.0.1"
    port: Port = 11112
    require_called_aet: bool = True
    allowed_callers: tuple[Caller, ...] = ()
    maximum_associations: int = Field(default=10, ge=1, le=250)
    spool: Path = Path("qsm-spool")
    database_url: str = ""
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
    disk: Disk = Disk()
    log: Log = Log()
    reconstruction: Reconstruction = Reconstruction()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        mistakes = tuple(_contradictions(self))
        if mistakes:
            raise ValueError("\n".join(mistakes))
        return self

    @property
    def job_database_url(self) -> str:
        """URL of the database that the durable workflows live in."""
        return self.database_url or f"sqlite:///{self.spool / 'jobs.sqlite'}"

    def return_port(self, ae_title: str) -> int:
        """Port of the storage SCP of a caller."""
        ports = {caller.ae_title: caller.return_port for caller in self.allowed_callers}
        return ports.get(ae_title, ports.get("*", 104))


def _contradictions(settings: Settings) -> list[str]:
    mistakes = []
    names = [d.name for d in settings.destinations]
    for name in sorted({n for n in names if names.count(n) > 1}):
        mistakes.append(f"destinations: the name {name!r} is used {names.count(name)} times; make each unique")
    rules = [rule.name for rule in settings.rules]
    for name in sorted({n for n in rules if rules.count(n) > 1}):
        mistakes.append(f"rules: the name {name!r} is used {rules.count(name)} times; make each unique")
    for magnet in settings.magnets:
        if isinstance(magnet.field, tuple) and not 0.99 <= sum(c * c for c in magnet.field) <= 1.01:
            mistakes.append(f"magnets: the field of {magnet.model!r} is not a direction of length 1")
    if SENDER in names:
        mistakes.append(f"destinations: the name {SENDER!r} is kept for return_to_sender; choose another")
    if settings.bind not in _LOOPBACK and not settings.allowed_callers:
        mistakes.append(
            f"allowed_callers: empty, but bind = {settings.bind!r} is reachable from other machines; "
            'list the AE titles that may send, or write ae_title = "*" to accept every one'
        )
    mistakes += _unmade_objects(settings)
    if settings.retry.longest_seconds < settings.retry.first_seconds:
        mistakes.append("retry: longest_seconds is below first_seconds")
    if settings.database_url and not settings.database_url.startswith(("postgresql://", "sqlite:///")):
        mistakes.append("database_url: expected postgresql://… or sqlite:///…, or nothing for a file in the spool")
    return mistakes


def _unmade_objects(settings: Settings) -> list[str]:
    """List objects that a destination is to get and that are not made."""
    made = set(settings.objects.names)
    return [
        f"destinations: {d.name!r} is to get {name!r}, which is not made; write {name} = true under [objects]"
        for d in settings.destinations
        for name in d.objects or ()
        if name not in made
    ]


def read_settings(path: Path) -> Settings:
    """Read and validate a configuration file.

    Raises
    ------
    ConfigurationError
        With every mistake of the file, one a line.
    """
    values = read_values(path)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        lines = [*_lines(error), *_further_contradictions(values, error)]
        raise ConfigurationError("\n".join(f"{path}: {line}" for line in lines)) from error
    return settings.model_copy(update={"spool": (path.parent / settings.spool).resolve()})


def read_values(path: Path) -> dict[str, Any]:
    """Read a configuration file without judging its values.

    Raises
    ------
    ConfigurationError
        It is not a TOML file.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not a TOML file: {error}") from error


def _further_contradictions(values: Mapping[str, Any], error: ValidationError) -> list[str]:
    """List contradictions between values that are each valid, where other values are not."""
    wrong = {str(mistake["loc"][0]) for mistake in error.errors() if mistake["loc"]}
    if not wrong:
        return []
    try:
        Settings.model_validate({name: value for name, value in values.items() if name not in wrong})
    except ValidationError as contradictions:
        return [line for line in _lines(contradictions) if line.partition(":")[0] not in wrong]
    return []


def _lines(error: ValidationError) -> list[str]:
    lines = []
    for mistake in error.errors():
        where = ""
        for part in mistake["loc"]:
            where += f"[{part}]" if isinstance(part, int) else f".{part}"
        text = mistake["msg"].removeprefix("Value error, ")
        lines += [f"{where.lstrip('.')}: {text}" if where else line for line in text.splitlines()]
    return lines
