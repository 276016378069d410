"""Assembly: headers of new images, acquisitions of headers, jobs of complete acquisitions.

One pass looks at what is new and at what still waits. Everything it knows is in the index, so a pass after a
restart decides what the pass before it would have decided; the headers kept in memory only save reading them.
"""

from __future__ import annotations

import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dicom_io.errors import Refusal
from dicom_io.source.acquisition.grouping import group_acquisitions
from dicom_io.source.header import ImageHeader, read_headers
from plugin.config.settings import Settings
from plugin.config.site import NOT_OURS, Selection, patterns_of, select, with_field
from plugin.intake.candidate import Candidate, unexpected
from plugin.intake.completion import Arrival, Decision, State, decide
from plugin.intake.index import AcquisitionRow, AssociationRow, ImageRow
from plugin.intake.spool import Spool
from plugin.intake.submit import is_meant_for_a_map, write_job
from plugin.log import describe, get_logger

Headers = tuple[ImageHeader, ...]

Submit = Callable[[str], None]
"""Queues a job by its name; the same name again changes nothing."""

_REPEATS_SECONDS = 0.1


class Assembler:
    """Turn received images into jobs.

    ``submit`` queues a reconstruction; ``refuse``, if given, a notice that an acquisition has no map.
    """

    def __init__(
        self,
        spool: Spool,
        submit: Submit,
        *,
        settings: Settings,
        refuse: Submit | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spool = spool
        self._submit = submit
        self._settings = settings
        self._refuse = refuse
        self._patterns = patterns_of(settings.rules)
        self._clock = clock
        self._headers: dict[str, dict[str, Headers]] = defaultdict(dict)
        self._waiting = {study: self._group(study) for study in spool.index.unsettled_studies()}

    def run(self, stopping: Callable[[], bool]) -> None:
        """Repeat passes until told to stop."""
        while not stopping():
            self.run_pass()
            time.sleep(_REPEATS_SECONDS)

    def run_pass(self) -> None:
        """Read what is new, and decide about every study that changed or waits."""
        for study in self._read_new():
            self._waiting[study] = self._group(study)
        for study, candidates in list(self._waiting.items()):
            if not self._decide(study, candidates):
                del self._waiting[study]
                self._headers.pop(study, None)

    def _read_new(self) -> set[str]:
        """Read the headers of new images; return the studies that got one."""
        rows = self._spool.index.unread_images()
        senders = self._spool.index.associations(sorted({row.association for row in rows}))
        headers, refused, studies = [], [], set()
        for row in rows:
            read = self._read(row, senders[row.association].calling_ae)
            if isinstance(read, Refusal):
                refused.append((read.code, read.message, row.image))
            else:
                headers.append((json.dumps([header.to_json() for header in read]), row.image))
                studies.add(row.study)
        if rows:
            self._spool.index.save_headers(headers, refused)
        return studies

    def _read(self, row: ImageRow, calling_ae: str) -> Headers | Refusal:
        log = get_logger().bind(image=row.image, series=row.series)
        try:
            headers = read_headers(self._spool.folder / row.path, self._patterns, content_sha256=row.digest)
        except Refusal as refusal:
            log.warning("image.skipped", code=refusal.code, reason=refusal.message)
            return refusal
        except Exception as error:  # no object, however damaged, may stop the service
            log.error("image.skipped", code="unreadable", **describe(error))
            return Refusal("unreadable", "The file cannot be read. Send the image again.")
        headers = with_field(headers, calling_ae, self._settings.magnets)
        return tuple(replace(header, path=Path(row.path)) for header in headers)

    def _group(self, study: str) -> list[Candidate]:
        """Group the images of a study; none where they cannot be told apart, which the index then says."""
        cache, by_path = self._headers[study], {}
        images = self._spool.index.images_of_study(study)
        try:
            for image in images:
                if image.image not in cache:
                    cache[image.image] = tuple(ImageHeader.from_json(text) for text in json.loads(image.header))
                by_path.update({header.path: image for header in cache[image.image]})
            acquisitions = group_acquisitions(itertools.chain.from_iterable(cache.values()))
        except Exception as error:  # no study, however odd, may stop the others
            get_logger().error("study.failed", study=study, **describe(error))
            self._refuse_study(study, len(images), unexpected(error))
            return []
        return [
            Candidate(
                acquisition=one,
                images=tuple(by_path[p] for p in sorted({h.path for h in one.headers})),
                largest_gib=self._settings.largest_gib,
            )
            for one in acquisitions
        ]

    def _refuse_study(self, study: str, images: int, reason: Refusal) -> None:
        """Show a study that cannot be grouped as one refused acquisition, beside what was decided before."""
        earlier = self._spool.index.acquisitions(study)
        kept = [row for row in earlier if row.state != State.COLLECTING and row.acquisition != study]
        refused = AcquisitionRow(
            acquisition=study,
            study=study,
            state=State.REFUSED,
            images=images,
            code=reason.code,
            reason=reason.message,
            missing=(),
            job="",
            changed_at=self._clock(),
        )
        self._spool.index.save_acquisitions(study, [*kept, refused])
        _announce(refused)

    def _decide(self, study: str, candidates: Sequence[Candidate]) -> bool:
        """Decide about the acquisitions of a study; say whether one of them still waits."""
        if not candidates:
            return False
        names = sorted({image.association for one in candidates for image in one.images})
        associations = self._spool.index.associations(names)
        # Asked after the associations: an ended one has all its images in the index, read or not.
        if self._spool.index.has_unread(study):
            return True
        known = {row.acquisition: row for row in self._spool.index.acquisitions(study)}
        rows = [self._judge(study, one, known.get(one.acquisition.key), associations) for one in candidates]
        if {row.acquisition: row for row in rows} != known:
            self._spool.index.save_acquisitions(study, rows)
        return any(row.state == State.COLLECTING for row in rows)

    def _judge(
        self,
        study: str,
        candidate: Candidate,
        known: AcquisitionRow | None,
        associations: Mapping[str, AssociationRow],
    ) -> AcquisitionRow:
        """Decide about an acquisition, submit a complete one, and announce what changed.

        A job is written and queued before the index says so: twice changes nothing, never would be a loss.
        """
        acquisition, sender = candidate.acquisition, associations[candidate.last.association]
        selection = select(acquisition, sender.calling_ae, self._settings)
        if known is not None and known.job == candidate.job:
            decision = Decision(state=State.QUEUED, evidence=known.evidence)  # the clock cannot undo it
        else:
            decision = self._decide_one(candidate, selection, associations)
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
            without = row.state in (State.REFUSED, State.INCOMPLETE) and is_meant_for_a_map(acquisition)
            if without and self._refuse is not None:
                self._refuse(write_job(self._spool, study, acquisition, sender, (row.code, row.reason)))
        return row

    def _decide_one(
        self, candidate: Candidate, selection: Selection, associations: Mapping[str, AssociationRow]
    ) -> Decision:
        """Decide when it is complete, then whether it is ours: rules may count its echoes."""
        decision = decide(
            candidate.completeness,
            self._arrival(candidate, associations),
            quiet_seconds=self._settings.quiet_seconds,
            counted=candidate.completeness.counted,
        )
        if decision.state is State.COLLECTING or selection.action == "reconstruct":
            return decision
        return replace(decision, state=State.IGNORED, code=NOT_OURS, reason=selection.reason, missing=())

    def _arrival(self, candidate: Candidate, associations: Mapping[str, AssociationRow]) -> Arrival:
        came = [associations[name] for name in {image.association for image in candidate.images}]
        cut_off = [one for one in came if one.ended_how in ("aborted", "lost") and not _made_good(one, came)]
        mine = {image.image for image in candidate.images}
        announced = self._spool.index.announced(candidate.series, sorted(mine))
        return Arrival(
            announced=" and ".join(sorted(announced.sources)) if mine <= announced.images else "",
            awaited=announced.awaited,
            expected=announced.expected,
            idle_seconds=self._clock() - candidate.last.received_at,
            associations=len(came),
            open=sum(one.ended_at is None for one in came),
            aborted=sum(one.ended_how == "aborted" for one in cut_off),
            lost=sum(one.ended_how == "lost" for one in cut_off),
        )


def _made_good(cut_off: AssociationRow, came: Iterable[AssociationRow]) -> bool:
    """Say whether the sender of an interrupted association went on with a later one, and released that."""
    ended = cut_off.ended_at or 0.0
    return any(one.ended_how == "released" and one.opened_at >= ended for one in came)


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
