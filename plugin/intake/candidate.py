"""Acquisitions as far as they have come, with what the index knows of their images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dicom_io.errors import Refusal
from dicom_io.source.acquisition.completeness import Completeness, assess
from dicom_io.source.acquisition.grouping import Acquisition
from plugin.intake.index import ReadImage
from plugin.jobs.job import job_name
from plugin.log import describe, uid_hash


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An acquisition as far as it has come."""

    acquisition: Acquisition
    images: tuple[ReadImage, ...]
    largest_gib: float

    @cached_property
    def job(self) -> str:
        """Name of the job that these images would be."""
        return job_name(self.acquisition)

    @cached_property
    def series(self) -> tuple[str, ...]:
        """Hashes of its series."""
        return tuple(map(uid_hash, self.acquisition.series_instance_uids))

    @cached_property
    def completeness(self) -> Completeness:
        """What the images themselves say."""
        try:
            return assess(self.acquisition, largest_gib=self.largest_gib)
        except Exception as error:  # no acquisition, however odd, may stop the others
            return Completeness(state="refused", reason=unexpected(error))

    @cached_property
    def last(self) -> ReadImage:
        """The image that came last."""
        return max(self.images, key=lambda image: image.received_at)


def unexpected(error: Exception) -> Refusal:
    """Make a reason of an unexpected error, without its text."""
    details = describe(error)
    return Refusal("unexpected", f"unexpected {details['error']} at {details['where']}; please report it")
