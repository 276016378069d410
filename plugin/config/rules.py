"""What a site says about its own scanners: the parts of the configuration below ``[[rules]]`` and ``[[magnets]]``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,40}$")]


class Frozen(BaseModel):
    """A part of the configuration: never changed, and nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Rule(Frozen):
    """Which acquisitions are reconstructed; the first rule that fits decides, and its name is shown as the reason.

    The texts are globs; case does not matter.
    """

    name: Name = Field(examples=["qsm"])
    """Name of the rule."""
    action: Literal["reconstruct", "ignore"] = Field(examples=["reconstruct"])
    """What is done with an acquisition that fits."""
    calling_ae: str = Field(default="*", examples=["MR*"])
    """Calling AE title of who sent the images."""
    protocol: str = Field(default="*", examples=["*qsm*"])
    """ProtocolName."""
    series: str = Field(default="*", examples=["*swi*"])
    """SeriesDescription."""
    sequence: str = Field(default="*", examples=["*fl3d*"])
    """SequenceName."""
    body_part: str = Field(default="*", examples=["BRAIN"])
    """BodyPartExamined."""
    model: str = Field(default="*", examples=["Prisma*"])
    """ManufacturerModelName."""
    minimum_echoes: int = Field(default=1, ge=1, examples=[3])
    """Fewest echoes."""
    maximum_echoes: int | None = Field(default=None, ge=1, examples=[12])
    """Most echoes; any number if not given."""


class Magnet(Frozen):
    """The B0 direction in a scanner that is not a cylinder.

    No DICOM element states it: without an entry, images of open magnets are rejected.
    """

    model: str = Field(default="*", examples=["OASIS*"])
    """Glob of the scanner's ManufacturerModelName."""
    calling_ae: str = Field(default="*", examples=["OPEN1"])
    """Glob of the calling AE title of who sends its images."""
    field: Literal["vertical", "horizontal"] | tuple[float, float, float] = Field(examples=["vertical"])
    """``vertical``, which follows PatientPosition; ``horizontal``, along the table as everywhere else; or the direction
    in patient axes (left, posterior, head), of length 1."""
