"""From a decision to a job in the spool: numbered so that it collides with nothing the study is known to hold."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dicom_io.derived.context.series_number import series_numbers_of
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.components import Component
from plugin.intake.index import AssociationRow, JobRow
from plugin.intake.spool import Spool
from plugin.jobs.job import JOB_FILE, Job, images_of, job_name, reserved_numbers

_MANY_ECHOES: Final = 3


def write_job(
    spool: Spool,
    study: str,
    acquisition: Acquisition,
    sender: AssociationRow,
    refusal: tuple[str, str] | None = None,
) -> str:
    """Write the job of an acquisition, unless it was written before: its creation time is in its objects.

    With a refusal (code and sentence), the job only says why there is no map. Returns the name of the job.
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
    job.save(folder, root=Path())
    return name


def is_meant_for_a_map(acquisition: Acquisition) -> bool:
    """Whether somebody may wait for a map: there is phase, or there are the echoes of a T2* weighted scan.

    A localizer or a T1 weighted series has no map either, and nobody wants to read that at the console.
    """
    components = {header.component for header in acquisition.headers}
    echo_times = {header.echo_time_s for header in acquisition.headers}
    return bool(components & {Component.PHASE, Component.REAL, Component.IMAGINARY}) or len(echo_times) >= _MANY_ECHOES
