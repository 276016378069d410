"""Assembly: headers of new images, acquisitions of headers, jobs of complete acquisitions.

A pass looks at what is new and at what still waits. All it knows is in the index, so it decides the same after a
restart; the headers kept in memory only save reading them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from dicom_io.source.acquisition.grouping import group_acquisitions
from dicom_io.source.header import ImageHeader
from plugin.config.settings import Settings
from plugin.config.site import NOT_OURS, Selection, select
from plugin.errors import SpoolError
from plugin.intake.backoff import Backoff
from plugin.intake.candidate import Candidate, QuietTimes, index_jobs, judge_protocol, write_job
from plugin.intake.claims import Claims
from plugin.intake.completion import Decision, State, decide, page_is_due
from plugin.intake.database.associations import AssociationRow
from plugin.intake.index import AcquisitionRow
from plugin.intake.reading import HeaderReader
from plugin.intake.spool import Spool
from plugin.jobs.job import JOB_FILE, images_of, job_name
from plugin.log import describe, get_logger, unexpected

Headers = tuple[ImageHeader, ...]

Submit = Callable[[str], None]
"""Queues a job by its name; the same name again changes nothing."""

_REPEATS_SECONDS = 0.2
_PAGES_SINCE_SECONDS = 86400.0
"""How far back a start looks for acquisitions whose page is still to be sent."""


class Assembler:
    """Turn received images into jobs.

    ``submit`` queues a reconstruction; ``refuse``, if given, a notice that no map was made of an acquisition.
    """

    def __init__(
        self,
        spool: Spool,
        submit: Submit,
        *,
        settings: Settings,
        refuse: Submit | None = None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spool = spool
        self._submit = submit
        self._settings = settings
        self._refuse = refuse
        self._reader = HeaderReader(spool, settings)
        self._backoff = Backoff()
        self._clock = clock
        self._headers: dict[str, dict[str, Headers]] = defaultdict(dict)
        self._told: set[str] = set()
        self._changes: object = None
        self._has_read = True
        self._quiet = QuietTimes(clock, steady)
        index_jobs(spool)
        self._claims = Claims(spool.index)
        unsettled = self._claims.take(spool.index.unsettled_studies(clock() - _PAGES_SINCE_SECONDS))
        self._waiting = {study: self._group(study) for study in unsettled}

    def submit_lost(self, known: Set[str]) -> None:
        """Submit the jobs that their database does not know: it was lost, or restored from a backup."""
        jobs = self._spool.folder / "jobs"
        lost = [job for job in self._spool.index.submitted() if job not in known and (jobs / job / JOB_FILE).exists()]
        for job in reversed(lost):  # the latest first: somebody may wait for it
            self._submit(job)
        if lost:
            get_logger().warning("jobs.submitted_again", reason=f"{len(lost)} jobs were not in their database")

    def run(self, stopping: Callable[[], bool]) -> None:
        """Repeat passes until told to stop.

        Raises
        ------
        SpoolError
            The index was deleted, or restored from a backup.
        """
        while not stopping():
            if self._spool.index.is_replaced():
                raise SpoolError("the index was replaced; the assembler starts again with the new one")
            changes = self._spool.index.changes()
            if self._waiting or self._has_read or changes is None or changes != self._changes:
                self._changes = changes
                self.run_pass()
            time.sleep(_REPEATS_SECONDS)

    def run_pass(self) -> None:
        """Read what is new, and decide about every study that changed or waits; one that fails is tried again later."""
        self._quiet.follow_jumps()
        rows, studies = self._reader.read_new()
        self._has_read = bool(rows)  # and there may be more
        for row in rows:
            self._quiet.note(row.study, row.received_at)
        now = self._clock()
        adopted = self._claims.adopt(now, now - _PAGES_SINCE_SECONDS, self._waiting.keys())
        for study in (*studies, *adopted):
            self._waiting[study] = self._group(study)
        for study in {row.study for row in rows} - self._waiting.keys():  # nothing of it is usable
            self._claims.settle(study)
        for study, candidates in list(self._waiting.items()):
            if not self._claims.take([study]):  # the connection broke meanwhile, and another assembler was faster
                self._forget(study)
                continue
            if self._backoff.holds(study, self._clock()):
                continue
            try:
                waits = self._decide(study, candidates)
            except Exception as error:  # no study, however odd, may stop the others
                self._fail(study, len(candidates), error)
                continue
            self._backoff.forget(study)
            if not waits:
                self._forget(study)
                self._claims.settle(study)

    def _forget(self, study: str) -> None:
        del self._waiting[study]
        self._headers.pop(study, None)
        self._quiet.forget(study)

    def _fail(self, study: str, images: int, error: Exception) -> None:
        """Show that deciding about a study failed, and when it is tried again."""
        pause = self._backoff.fail(study, self._clock())
        get_logger().error("study.failed", study=study, retry_in_seconds=pause, **describe(error))
        with contextlib.suppress(SQLAlchemyError):  # perhaps what failed
            self._show_study(study, State.FAILED, images, f"{unexpected(error)}; it is tried again")

    def _group(self, study: str) -> list[Candidate]:
        """Group the images of a study; none where they cannot be told apart, which the index then says."""
        cache, by_path = self._headers[study], {}
        images = self._spool.index.images_of_study(study)
        try:
            for image in images:
                if image.image not in cache:
                    cache[image.image] = tuple(ImageHeader.from_json(text) for text in json.loads(image.header))
                by_path.update({header.path: image for header in cache[image.image]})
            # Not all that was cached: an image that is sent again is unread for a moment.
            acquisitions = group_acquisitions(itertools.chain.from_iterable(cache[one.image] for one in images))
        except Exception as error:  # no study, however odd, may stop the others
            get_logger().error("study.failed", study=study, **describe(error))
            self._show_study(study, State.REFUSED, len(images), unexpected(error))
            return []
        return [
            Candidate(
                acquisition=one,
                images=tuple(by_path[p] for p in sorted({h.path for h in one.headers})),
                largest_gib=self._settings.largest_gib,
            )
            for one in acquisitions
        ]

    def _show_study(self, study: str, state: State, images: int, reason: str) -> None:
        """Show a study that cannot be grouped or decided about as one acquisition, beside what was decided before."""
        earlier = self._spool.index.acquisitions(study)
        kept = [row for row in earlier if row.state != State.COLLECTING and row.acquisition != study]
        shown = AcquisitionRow(
            acquisition=study,
            study=study,
            state=state,
            images=images,
            code="unexpected",
            reason=reason,
            changed_at=self._clock(),
        )
        self._spool.index.save_acquisitions(study, [*kept, shown])
        _announce(shown)

    def _decide(self, study: str, candidates: Sequence[Candidate]) -> bool:
        """Decide about the acquisitions of a study; say whether one of them still waits."""
        if not candidates:
            return False
        names = sorted({image.association for one in candidates for image in one.images})
        associations = self._spool.index.associations(names)
        # Asked after the associations: an ended one has all its images in the index, read or not.
        if self._spool.index.has_unread(study):
            return True
        if not self._quiet.knows(study):  # after a start
            self._quiet.note(study, self._spool.index.last_received_at(study))
        idle_seconds = self._quiet.seconds(study)
        known = {row.acquisition: row for row in self._spool.index.acquisitions(study)}
        rows = [
            self._judge(study, one, known.get(one.acquisition.key), associations, idle_seconds) for one in candidates
        ]
        if {row.acquisition: row for row in rows} != known:
            self._spool.index.save_acquisitions(study, rows)
        waits = [row.state == State.COLLECTING for row in rows]
        for candidate, row in zip(candidates, rows, strict=True):
            sender = associations[candidate.last.association]
            waits.append(self._page_waits(study, candidate, row, sender, idle_seconds))
        return any(waits)

    def _judge(
        self,
        study: str,
        candidate: Candidate,
        known: AcquisitionRow | None,
        associations: Mapping[str, AssociationRow],
        idle_seconds: float,
    ) -> AcquisitionRow:
        """Decide about an acquisition, submit a complete one, and announce what changed.

        A job is written and queued before the index says so: twice changes nothing, never would be a loss.
        """
        acquisition, sender = candidate.acquisition, associations[candidate.last.association]
        selection = select(acquisition, sender.calling_ae, self._settings)
        if known is not None and known.job == candidate.job:
            decision = Decision(state=State.QUEUED, evidence=known.evidence)  # the clock cannot undo it
        else:
            decision = self._decide_one(candidate, selection, associations, idle_seconds)
        queued = decision.state is State.QUEUED
        row = AcquisitionRow(
            acquisition=acquisition.key,
            study=study,
            state=decision.state,
            images=len(candidate.images),
            code=decision.code,
            reason=decision.reason,
            missing=decision.missing,
            job=candidate.job if queued else known.job if known else "",
            changed_at=self._clock(),
            series=candidate.series,
            evidence=decision.evidence,
            rules=selection.trace,
        )
        if known is not None and replace(row, changed_at=known.changed_at) == known:
            return known
        if queued:
            self._submit(write_job(self._spool, study, acquisition, sender))
        if known is None or _verdict(row) != _verdict(known):
            _announce(row)
            if decision.state is not State.COLLECTING:
                judge_protocol(self._spool, study, acquisition)
        return row

    def _page_waits(
        self, study: str, candidate: Candidate, row: AcquisitionRow, sender: AssociationRow, idle_seconds: float
    ) -> bool:
        """Send the page that no map was made, once, if one is wanted and due; say whether it is still to be sent.

        Not where part of the acquisition has become a job, which has a map or a page of its own.
        """
        acquisition, state, refusal = candidate.acquisition, State(row.state), (row.code, row.reason)
        without = state in (State.REFUSED, State.INCOMPLETE) and candidate.is_meant_for_a_map(row.code)
        name = job_name(acquisition, refusal)
        if self._refuse is None or not without or name in self._told:
            return False
        if not page_is_due(state, idle_seconds, quiet_seconds=self._settings.quiet_seconds):
            return True
        images = images_of(acquisition.headers)
        if not any(job.images <= images for job in self._spool.index.jobs(study)):
            self._refuse(write_job(self._spool, study, acquisition, sender, refusal))
        self._told.add(name)
        return False

    def _decide_one(
        self,
        candidate: Candidate,
        selection: Selection,
        associations: Mapping[str, AssociationRow],
        idle_seconds: float,
    ) -> Decision:
        """Decide when it is complete, then whether the site wants it: rules may count its echoes."""
        announced = self._spool.index.announced(candidate.series, sorted(candidate.names))
        arrival = candidate.arrival(associations, announced, self._clock(), idle_seconds)
        decision = decide(candidate.completeness, arrival, quiet_seconds=self._settings.quiet_seconds)
        if decision.state is State.COLLECTING or selection.action == "reconstruct":
            return decision
        return Decision(state=State.IGNORED, code=NOT_OURS, reason=selection.reason, evidence=decision.evidence)


def _verdict(row: AcquisitionRow) -> tuple[object, ...]:
    return row.state, row.code, row.reason, row.missing, row.job


def _announce(row: AcquisitionRow) -> None:
    log = get_logger().bind(acquisition=row.acquisition[:16], images=row.images)
    if row.state == State.QUEUED:
        log.info("acquisition.queued", job=row.job)
    elif row.state == State.COLLECTING:
        log.info("acquisition.collecting")
    else:
        log.warning(f"acquisition.{row.state}", code=row.code, reason=row.reason)
