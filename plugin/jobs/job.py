"""A job: the images of one acquisition, and all that is needed to make and deliver their QSM series."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from dicom_io.derived.context.source_series import SourceSeries, reserved_series_numbers
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.header import ImageHeader
from plugin.files import write_private_json

JOB_FILE = "job.json"
QSM_FOLDER = "qsm"
REPORT_FILE = "report.json"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One acquisition to be reconstructed; never changed, and written once.

    Parameters
    ----------
    created
        When the job began; written into the derived objects, so that a repetition makes the same bytes.
    revision
        Counts up when more images of an acquisition came after a job was made of those there were.
    calling_ae, address
        Who sent the images; empty at the desk.
    used_series_numbers
        Of other series that the study was known to hold when the job was made; the derived ones keep clear of them.
    refusal
        Code and sentence of why there is nothing to reconstruct; None for a job that is run.
    """

    acquisition: Acquisition
    created: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    revision: int = 1
    calling_ae: str = ""
    address: str = ""
    used_series_numbers: frozenset[int] = frozenset()
    refusal: tuple[str, str] | None = None

    @property
    def headers(self) -> tuple[ImageHeader, ...]:
        """The images of the acquisition."""
        return self.acquisition.headers

    @cached_property
    def source_series(self) -> SourceSeries:
        """The source images in their places, and what the derived series share; read once."""
        used = self.used_series_numbers
        return SourceSeries.of(self.acquisition, created=self.created, revision=self.revision, used_series_numbers=used)

    def save(self, folder: Path, *, root: Path) -> bool:
        """Write the job into its folder, the images' paths relative to ``root``; False if there is one already."""
        headers = [replace(header, path=header.path.relative_to(root)).to_json() for header in self.headers]
        values = {field.name: getattr(self, field.name) for field in fields(self)} | {
            "acquisition": {"key": self.acquisition.key, "headers": headers},
            "created": self.created.isoformat(),
            "used_series_numbers": sorted(self.used_series_numbers),
        }
        return write_private_json(values, folder / JOB_FILE, replacing=False)

    @classmethod
    def load(cls, folder: Path, *, root: Path) -> Self:
        """Read the job of a folder."""
        values = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
        key, stored = values["acquisition"]["key"], map(ImageHeader.from_json, values["acquisition"]["headers"])
        headers = tuple(replace(header, path=root / header.path) for header in stored)
        changed: dict[str, Any] = {
            "acquisition": Acquisition(key=key, headers=headers),
            "created": datetime.fromisoformat(values["created"]),
            "used_series_numbers": frozenset(values["used_series_numbers"]),
            "refusal": values["refusal"] and tuple(values["refusal"]),
        }
        return cls(**{**values, **changed})


def images_of(headers: Iterable[ImageHeader]) -> frozenset[tuple[str, int]]:
    """Name images; a job of some of an acquisition's images is an earlier one of the same acquisition."""
    return frozenset((header.sop_instance_uid, header.frame) for header in headers)


def reserved_numbers(job: Job) -> frozenset[int]:
    """Return the series numbers that the derived series of a job have."""
    return reserved_series_numbers(job.acquisition, revision=job.revision, used=job.used_series_numbers)


def job_name(acquisition: Acquisition, refusal: tuple[str, str] | None = None) -> str:
    """Name a job after its acquisition and images, or after why there is nothing to reconstruct.

    A resend is the same job; more images, or another reason, are a new one.
    """
    if refusal is not None:
        return f"{acquisition.key[:16]}-without-{_short_hash(chr(9).join(refusal))}"
    images = sorted({f"{header.sop_instance_uid}\t{header.content_sha256}" for header in acquisition.headers})
    return f"{acquisition.key[:16]}-{_short_hash(chr(10).join(images))}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
