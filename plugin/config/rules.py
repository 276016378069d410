"""What a site says of its own scanners: the parts of the configuration below ``[[rules]]`` and ``[[magnets]]``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,40}$")]


class Frozen(BaseModel):
    """A part of the configuration: never changed, and nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(Frozen):
    """Which acquisitions are ours; the first rule that fits decides. Texts are globs; case does not matter.

    Parameters
    ----------
    name
        What people call it; it is shown as the reason of a decision.
    action
        Whether the acquisitions it fits are reconstructed or ignored.
    calling_ae, protocol, series, sequence, body_part, model
        Calling AE title, ProtocolName, SeriesDescription, SequenceName, BodyPartExamined, ManufacturerModelName.
    minimum_echoes, maximum_echoes
        Number of echoes.
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

    Parameters
    ----------
    model, calling_ae
        Globs: ManufacturerModelName of the scanner, and who sends its images.
    field
        ``"vertical"``, ``"horizontal"`` (along the table, as everywhere else), or the direction in patient axes
        (left, posterior, head).
    """

    model: str = "*"
    calling_ae: str = "*"
    field: Literal["vertical", "horizontal"] | tuple[float, float, float]
