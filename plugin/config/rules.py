"""What a site says about its own scanners: the parts of the configuration below ``[[rules]]`` and ``[[magnets]]``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,40}$")]


class Frozen(BaseModel):
    """A part of the configuration: never changed, and nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(Frozen):
    """Which acquisitions are reconstructed; the first rule that fits decides, and its name is shown as the reason.

    The texts are globs of calling AE title, ProtocolName, SeriesDescription, SequenceName, BodyPartExamined and
    ManufacturerModelName; case does not matter.
    """

    name: Name
    action: Literal["reconstruct", "ignore"]
    calling_ae: str = "*"
    protocol: str = "*"
    series: str = "*"
    sequence: str = "*"
    body_part: str = "*"
    model: str = "*"
    minimum_echoes: int = Field(default=1, ge=1)
    maximum_echoes: int | None = Field(default=None, ge=1)


class Magnet(Frozen):
    """The B0 direction in a scanner that is not a cylinder.

    ``model`` and ``calling_ae`` are globs of its ManufacturerModelName and of who sends its images. ``field`` is
    ``"vertical"``, ``"horizontal"`` (along the table, as everywhere else), or the direction in patient axes (left,
    posterior, head).
    """

    model: str = "*"
    calling_ae: str = "*"
    field: Literal["vertical", "horizontal"] | tuple[float, float, float]
