"""A job: the images of one complete acquisition, and all it takes to make and deliver their QSM series."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Self

from dicom_io.derived.context.source_series import SourceSeries, reserved_series_numbers
from dicom_io.source.acquisition.grouping import Acquisition, group_acquisitions
from dicom_io.source.header import ImageHeader
from plugin.errors import JobFailedError
from plugin.jobs.scratch import write_private_json

JOB_FILE = "job.json"
QSM_FOLDER = "qsm"
REPORT_FILE = "report.json"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One acquisition to be reconstructed.

    Parameters
    ----------
    headers
        Its images.
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

    headers: tuple[ImageHeader, ...]
    created: datetime
    revision: int = 1
    calling_ae: str = ""
    address: str = ""
    used_series_numbers: tuple[int, ...] = ()
    refusal: tuple[str, str] | None = None

    @classmethod
    def of(
        cls,
        acquisition: Acquisition,
        *,
        revision: int = 1,
        calling_ae: str = "",
        address: str = "",
        used_series_numbers: Iterable[int] = (),
        refusal: tuple[str, str] | None = None,
    ) -> Self:
        """Make the job of an acquisition, beginning now."""
        return cls(
            headers=acquisition.headers,
            created=datetime.now(UTC).replace(microsecond=0),
            revision=revision,
            calling_ae=calling_ae,
            address=address,
            used_series_numbers=tuple(sorted(set(used_series_numbers))),
            refusal=refusal,
        )

    @property
    def acquisition(self) -> Acquisition:
        """The acquisition of the job's images.

        Raises
        ------
        JobFailedError
            The images are not one acquisition, which only another version's grouping rule can bring about.
        """
        acquisitions = group_acquisitions(self.headers)
        if len(acquisitions) != 1:
            found = f"{len(acquisitions)} acquisitions were found where the job was made of one"
            raise JobFailedError("grouping-changed", f"{found}; send the images again")
        return acquisitions[0]

    @cached_property
    def source_series(self) -> SourceSeries:
        """The source images in their places, and what the derived series share; read once."""
        used = self.used_series_numbers
        return SourceSeries.of(self.acquisition, created=self.created, revision=self.revision, used_series_numbers=used)

    def save(self, folder: Path, *, root: Path) -> None:
        """Write the job into its folder, the images' paths relative to ``root``."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        headers = [replace(header, path=header.path.relative_to(root)).to_json() for header in self.headers]
        sender = {"calling_ae": self.calling_ae, "address": self.address}
        begun = {"created": self.created.isoformat(), "revision": self.revision}
        study = {"used_series_numbers": self.used_series_numbers, "refusal": self.refusal}
        write_private_json({**begun, **sender, **study, "headers": headers}, folder / JOB_FILE)

    @classmethod
    def load(cls, folder: Path, *, root: Path) -> Self:
        """Read the job of a folder."""
        values = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
        headers = (ImageHeader.from_json(text) for text in values["headers"])
        return cls(
            headers=tuple(replace(header, path=root / header.path) for header in headers),
            created=datetime.fromisoformat(values["created"]),
            revision=values.get("revision", 1),  # jobs of earlier versions have none
            calling_ae=values["calling_ae"],
            address=values["address"],
            used_series_numbers=tuple(values.get("used_series_numbers", ())),
            refusal=tuple(refusal) if (refusal := values.get("refusal")) else None,
        )


def images_of(headers: Iterable[ImageHeader]) -> frozenset[tuple[str, int]]:
    """Name images; a job of some of an acquisition's images is an earlier one of the same acquisition."""
    return frozenset((header.sop_instance_uid, header.frame) for header in headers)


def reserved_numbers(job: Job) -> frozenset[int]:
    """Return the series numbers that the derived series of a job have."""
    return reserved_series_numbers(job.acquisition, revision=job.revision, used=job.used_series_numbers)


def job_name(acquisition: Acquisition) -> str:
    """Name a job after its acquisition and images: a resend is the same job, more images are a new one."""
    images = sorted({f"{header.sop_instance_uid}\t{header.content_sha256}" for header in acquisition.headers})
    return f"{acquisition.key[:16]}-{hashlib.sha256(chr(10).join(images).encode()).hexdigest()[:8]}"
