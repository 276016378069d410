"""From a decision to a job in the spool: numbered so that it collides with nothing the study is known to hold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dicom_io.derived.context.series_number import series_numbers_of
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.components import Component
from plugin.intake.index import AssociationRow
from plugin.intake.spool import Spool
from plugin.jobs.job import JOB_FILE, Job, images_of, reserved_numbers

_MANY_ECHOES: Final = 3


def write_job(spool: Spool, study: str, name: str, acquisition: Acquisition, sender: AssociationRow) -> None:
    """Write the job of a complete acquisition, unless it has been before: its creation time is in its objects.

    Parameters
    ----------
    spool
        Where the images are.
    study, name
        Hash of the study, and the job's name.
    acquisition
        The images.
    sender
        Who sent the last of them.
    """
    folder = spool.folder / "jobs" / name
    if (folder / JOB_FILE).exists():
        return
    earlier, images = _other_jobs(spool, study, name), images_of(acquisition.headers)
    job = Job.of(
        acquisition,
        revision=1 + sum(images_of(one.headers) <= images for one in earlier),
        calling_ae=sender.calling_ae,
        address=sender.address,
        used_series_numbers=_taken_series_numbers(spool, study, earlier),
    )
    spool.index.add_job(name, study)
    job.save(folder, root=Path())


def write_refusal_job(
    spool: Spool, study: str, acquisition: Acquisition, sender: AssociationRow, refusal: tuple[str, str]
) -> str:
    """Write a job that only says why there is no map, for the same reason once; return its name.

    Parameters
    ----------
    spool, study, acquisition, sender
        As of ``write_job``.
    refusal
        Code and sentence.
    """
    reason = hashlib.sha256("\t".join(refusal).encode()).hexdigest()[:8]
    name = f"{acquisition.key[:16]}-without-{reason}"
    folder = spool.folder / "jobs" / name
    if not (folder / JOB_FILE).exists():
        job = Job.of(
            acquisition,
            calling_ae=sender.calling_ae,
            address=sender.address,
            used_series_numbers=_taken_series_numbers(spool, study, _other_jobs(spool, study, name)),
            refusal=refusal,
        )
        job.save(folder, root=Path())
    return name


def is_meant_for_a_map(acquisition: Acquisition) -> bool:
    """Whether somebody may wait for a map: there is phase, or there are the echoes of a T2* weighted scan.

    A localizer or a T1 weighted series has no map either, and nobody wants to read that at the console.
    """
    components = {header.component for header in acquisition.headers}
    echo_times = {header.echo_time_s for header in acquisition.headers}
    return bool(components & {Component.PHASE, Component.REAL, Component.IMAGINARY}) or len(echo_times) >= _MANY_ECHOES


def _other_jobs(spool: Spool, study: str, name: str) -> list[Job]:
    folders = [spool.folder / "jobs" / job for job in spool.index.jobs(study) if job != name]
    return [Job.load(folder, root=Path()) for folder in folders if (folder / JOB_FILE).exists()]


def _taken_series_numbers(spool: Spool, study: str, others: Sequence[Job]) -> set[int]:
    """Return the series numbers of what a study is known to hold, and those that its other jobs have."""
    held = series_numbers_of(spool.folder / path for path in spool.index.one_of_each_series(study))
    return held.union(*(reserved_numbers(job) for job in others))
