"""Acquisitions as far as they have come, the jobs that they become, and how their protocols are judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from dicom_io.derived.context.series_number import series_numbers_of
from dicom_io.errors import Refusal
from dicom_io.protocol.check import check_protocol
from dicom_io.source.acquisition.completeness import Completeness, assess
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.components import Component
from plugin.intake.completion import Arrival
from plugin.intake.database.associations import AssociationRow
from plugin.intake.database.notices import Announced
from plugin.intake.database.protocols import ProtocolRow
from plugin.intake.database.submitted import JobRow
from plugin.intake.index import ReadImage
from plugin.intake.spool import Spool
from plugin.jobs.job import JOB_FILE, Job, images_of, job_name, reserved_numbers
from plugin.log import describe, get_logger, uid_hash, unexpected

_MANY_ECHOES: Final = 3
_WITHOUT_MAP: Final = "-without-"
"""Part of the name of a job that only says why no map was made."""

_OTHER_SCANS: Final = frozenset(
    {"not-gradient-echo", "inversion-recovery", "velocity-encoded", "field-map", "susceptibility-map"}
    | {"weighted-image", "processed-image", "mean-of-echoes", "coil-element", "extra-series"}
)
"""Codes of images that nobody expects a map of: other scans of an examination, and what a scanner makes beside one."""

_FEW_ECHOES: Final = frozenset({"phase-difference", "one-slice"})
"""Codes of field maps and localizers, unless they have many echoes."""


_JUMP_SECONDS: Final = 2.0


class QuietTimes:
    """For how long nothing has come of each study; a system clock that jumps changes that little."""

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self._clock, self._steady = clock, steady
        self._seen = clock(), steady()
        self._last_at: dict[str, float] = {}

    def follow_jumps(self) -> None:
        """Move what came before a jump of the clock by as much."""
        (clock, steady), self._seen = self._seen, (self._clock(), self._steady())
        jumped = (self._seen[0] - clock) - (self._seen[1] - steady)
        if abs(jumped) > _JUMP_SECONDS:
            self._last_at = {study: at + jumped for study, at in self._last_at.items()}

    def note(self, study: str, received_at: float) -> None:
        """Note when an image of a study came, by the system's clock."""
        self._last_at[study] = min(self._clock(), max(received_at, self._last_at.get(study, -math.inf)))

    def knows(self, study: str) -> bool:
        """Say whether it was noted when an image of a study came."""
        return study in self._last_at

    def seconds(self, study: str) -> float:
        """Return for how long nothing of a study has come."""
        return self._clock() - self._last_at[study]

    def forget(self, study: str) -> None:
        """Forget a study that nothing is awaited of."""
        self._last_at.pop(study, None)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An acquisition as far as it has come, with what the index knows of its images."""

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
            return Completeness(state="refused", reason=Refusal("unexpected", unexpected(error)))

    @cached_property
    def last(self) -> ReadImage:
        """The image that came last."""
        return max(self.images, key=lambda image: image.received_at)

    @property
    def names(self) -> set[str]:
        """Hashes of its images."""
        return {image.image for image in self.images}

    def arrival(
        self, associations: Mapping[str, AssociationRow], announced: Announced, now: float, idle_seconds: float
    ) -> Arrival:
        """Say how its images came; nothing of the study has come for ``idle_seconds``."""
        came = [associations[name] for name in {image.association for image in self.images}]
        released = max((one.opened_at for one in came if one.ended_how == "released"), default=-math.inf)
        interrupted = [one for one in came if one.ended_how in ("aborted", "lost")]
        # A sender may have gone on with a later association, and released that.
        cut_off = [one.ended_how for one in interrupted if released < (one.ended_at or 0.0)]
        return Arrival(
            announced=" and ".join(sorted(announced.sources)) if self.names <= announced.images else "",
            awaited=announced.awaited,
            expected=announced.expected,
            idle_seconds=max(idle_seconds, now - self.last.received_at),
            study_idle_seconds=idle_seconds,
            associations=len(came),
            open=sum(one.ended_at is None for one in came),
            aborted=cut_off.count("aborted"),
            lost=cut_off.count("lost"),
            recovered=sum(one.ended_how == "recovered" for one in came),
        )

    def is_meant_for_a_map(self, code: str) -> bool:
        """Whether a map may be expected: there is phase, or there are the echoes of a T2* weighted scan.

        ``code`` says why there is none. A localizer, a T1 weighted series, a spin echo or a field map has no map
        either, but needs no notice at the console.
        """
        headers = self.acquisition.headers
        phase = {Component.PHASE, Component.REAL, Component.IMAGINARY}
        many = len({header.echo_time_s for header in headers}) >= _MANY_ECHOES
        few = code not in _FEW_ECHOES and any(header.component in phase for header in headers)
        return code not in _OTHER_SCANS and (many or few)


def index_jobs(spool: Spool) -> None:
    """Note the jobs in the spool that an index which was lost, or restored from a backup, does not know."""
    known = spool.index.job_names()
    for file in (spool.folder / "jobs").glob(f"*/{JOB_FILE}"):
        name = file.parent.name
        if name in known or _WITHOUT_MAP in name:
            continue
        try:
            _index_job(spool, name, Job.load(file.parent, root=Path()))
        except Exception as error:  # one damaged job may not stop the others
            get_logger().error("job.unreadable", job=name, **describe(error))


def _index_job(spool: Spool, name: str, job: Job) -> None:
    study, images = uid_hash(job.headers[0].study_instance_uid), images_of(job.headers)
    spool.index.add_job(JobRow(job=name, study=study, images=images, numbers=reserved_numbers(job)))


def write_job(
    spool: Spool,
    study: str,
    acquisition: Acquisition,
    sender: AssociationRow,
    refusal: tuple[str, str] | None = None,
) -> str:
    """Write the job of an acquisition, unless it was written before: its creation time is in its objects.

    Its series numbers collide with nothing that the study is known to hold. With a refusal (code and sentence), the
    job only says why there is no map. Returns the name of the job.
    """
    name = job_name(acquisition, refusal)
    folder = spool.folder / "jobs" / name
    if (folder / JOB_FILE).exists():
        return name
    others, images = [row for row in spool.index.jobs(study) if row.job != name], images_of(acquisition.headers)
    held = series_numbers_of(spool.folder / path for path in spool.index.one_of_each_series(study))
    job = Job(
        acquisition=acquisition,
        revision=1 if refusal else 1 + sum(row.images <= images for row in others),
        calling_ae=sender.calling_ae,
        address=sender.address,
        used_series_numbers=frozenset(held).union(*(row.numbers for row in others)),
        refusal=refusal,
    )
    if refusal is None:
        spool.index.add_job(JobRow(job=name, study=study, images=images, numbers=reserved_numbers(job)))
    if not job.save(folder, root=Path()) and refusal is None:  # another assembler was faster, and its job counts
        _index_job(spool, name, Job.load(folder, root=Path()))
    return name


def judge_protocol(spool: Spool, study: str, acquisition: Acquisition) -> None:
    """Compare the protocol of an acquisition with the recommendations, and keep the answer for the console.

    It is advice: what goes wrong with it stops nothing, and then nothing is saved.
    """
    try:
        findings = check_protocol(acquisition, root=spool.folder)
        judged = tuple((one.name, str(one.level), one.found) for one in findings)
        row = ProtocolRow(acquisition=acquisition.key, study=study, vendor=acquisition.vendor, judged=judged)
        spool.index.save_protocol(row)
    except Exception as error:  # no header, however odd, may keep a map from being made
        get_logger().error("protocol.failed", acquisition=acquisition.key[:16], **describe(error))
