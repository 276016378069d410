"""The jobs that were submitted: what a later one has to know of them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Json

from plugin.intake.database.connection import Database


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """What later jobs of a study must know of a job: its images (SOP Instance UID, frame) and series numbers."""

    job: str
    study: str
    images: Json[frozenset[tuple[str, int]]]
    numbers: Json[frozenset[int]]


class Submitted(Database):
    """The table of jobs."""

    def add_job(self, row: JobRow) -> None:
        """Note a job; one of the same name was never written, and is replaced."""
        self._add("job", row)

    def job_names(self) -> set[str]:
        """Return the names of all jobs."""
        return {str(row["job"]) for row in self._read("SELECT job FROM job")}

    def is_job(self, job: str) -> bool:
        """Say whether there is a job of this name."""
        return bool(self._read("SELECT job FROM job WHERE job = :job", job=job))

    def submitted(self) -> list[str]:
        """Return the jobs that acquisitions were submitted as last, oldest first."""
        return [row["job"] for row in self._read("SELECT job FROM acquisition WHERE job != '' ORDER BY changed_at")]

    def jobs(self, study: str) -> list[JobRow]:
        """Return all jobs that were made of images of a study."""
        return self._rows(JobRow, "job", "WHERE study = :study", study=study)
