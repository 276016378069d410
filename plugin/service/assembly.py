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
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from dicom_io.acquisition import Acquisition, Completeness, assess, group_acquisitions
from dicom_io.errors import Refusal
from dicom_io.headers import ImageHeader, read_headers
from plugin.job import job_name
from plugin.log import describe, get_logger
from plugin.service.hand_over import is_meant_for_a_map, write_job, write_refusal_job
from plugin.service.index import AcquisitionRow, AssociationRow, ImageRow, ReadImage
from plugin.service.rules import Arrival, Decision, State, decide
from plugin.service.spool import Spool

Headers = tuple[ImageHeader, ...]

Submit = Callable[[str], None]
"""Hands a job to the workflow by name; the same name again changes nothing."""

_REPEATS_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class _Found:
    """An acquisition as far as it has come."""

    acquisition: Acquisition
    images: tuple[ReadImage, ...]

    @cached_property
    def job(self) -> str:
        return job_name(self.acquisition)

    @cached_property
    def completeness(self) -> Completeness:
        try:
            return assess(self.acquisition)
        except Exception as error:  # no acquisition, however odd, may stop the others
            return Completeness(state="refused", reason=_unexpected(error))

    @cached_property
    def last(self) -> ReadImage:
        return max(self.images, key=lambda image: image.received_at)


@dataclass(frozen=True, kw_only=True)
class _Ungrouped:
    """A study whose images cannot be told apart into acquisitions."""

    images: int
    reason: Refusal


_Study = Sequence[_Found] | _Ungrouped


class Assembler:
    """Turn received images into jobs.

    Parameters
    ----------
    spool
        Where the images are.
    submit
        Hands a job that was written to the spool to the workflow.
    quiet_seconds
        How long an incomplete acquisition is waited for.
    refuse
        Hands over, as a job, the words that an acquisition has no map; None if nobody wants to be told.
    clock
        Seconds since the epoch.
    """

    def __init__(
        self,
        spool: Spool,
        submit: Submit,
        *,
        quiet_seconds: float,
        refuse: Submit | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spool = spool
        self._submit = submit
        self._refuse = refuse
        self._quiet_seconds = quiet_seconds
        self._clock = clock
        self._headers: dict[str, dict[str, Headers]] = defaultdict(dict)
        self._waiting = {study: self._find(study) for study in spool.index.unsettled_studies()}

    def run(self, stopping: Callable[[], bool]) -> None:
        """Repeat passes until told to stop."""
        while not stopping():
            self.run_pass()
            time.sleep(_REPEATS_SECONDS)

    def run_pass(self) -> None:
        """Read what is new, and decide about every study that changed or waits."""
        for study in self._read_new():
            self._waiting[study] = self._find(study)
        for study, found in list(self._waiting.items()):
            if not self._decide(study, found):
                del self._waiting[study]
                self._headers.pop(study, None)

    def _read_new(self) -> set[str]:
        """Read the headers of new images; return the studies that got one."""
        rows = self._spool.index.unread_images()
        headers, refused, studies = [], [], set()
        for row in rows:
            read = self._read(row)
            if isinstance(read, Refusal):
                refused.append((read.code, read.message, row.image))
            else:
                headers.append((json.dumps([header.to_json() for header in read]), row.image))
                studies.add(row.study)
        if rows:
            self._spool.index.save_headers(headers, refused)
        return studies

    def _read(self, row: ImageRow) -> Headers | Refusal:
        log = get_logger().bind(image=row.image, series=row.series)
        try:
            headers = read_headers(self._spool.folder / row.path)
        except Refusal as refusal:
            log.warning("image.ignored", code=refusal.code, reason=refusal.message)
            return refusal
        except Exception as error:  # no object, however damaged, may stop the service
            log.error("image.ignored", code="unreadable", **describe(error))
            return Refusal("unreadable", "The file cannot be read. Send the image again.")
        return tuple(replace(header, path=Path(row.path)) for header in headers)

    def _find(self, study: str) -> _Study:
        """Group the images of a study."""
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
            return _Ungrouped(images=len(images), reason=_unexpected(error))
        return [
            _Found(acquisition=one, images=tuple(by_path[p] for p in sorted({h.path for h in one.headers})))
            for one in acquisitions
        ]

    def _decide(self, study: str, found: _Study) -> bool:
        """Decide about the acquisitions of a study; say whether one of them still waits."""
        if isinstance(found, _Ungrouped):
            self._refuse_study(study, found)
            return False
        names = sorted({image.association for one in found for image in one.images})
        associations = self._spool.index.associations(names)
        # Asked after the associations: an ended one has all its images in the index, read or not.
        if self._spool.index.has_unread(study):
            return True
        known = {row.acquisition: row for row in self._spool.index.acquisitions(study)}
        rows = [self._judge(study, one, known.get(one.acquisition.key), associations) for one in found]
        if {row.acquisition: row for row in rows} != known:
            self._spool.index.save_acquisitions(study, rows)
        return any(row.state == State.COLLECTING for row in rows)

    def _refuse_study(self, study: str, found: _Ungrouped) -> None:
        """Show a study that cannot be grouped as one refused acquisition, beside what was decided before."""
        earlier = self._spool.index.acquisitions(study)
        kept = [row for row in earlier if row.state != State.COLLECTING and row.acquisition != study]
        refused = AcquisitionRow(
            acquisition=study,
            study=study,
            state=State.REFUSED,
            images=found.images,
            code=found.reason.code,
            reason=found.reason.message,
            missing=(),
            job="",
            changed_at=self._clock(),
        )
        self._spool.index.save_acquisitions(study, [*kept, refused])
        _announce(refused)

    def _judge(
        self,
        study: str,
        found: _Found,
        known: AcquisitionRow | None,
        associations: Mapping[str, AssociationRow],
    ) -> AcquisitionRow:
        """Decide about an acquisition, say what changed, and hand a complete one over."""
        if known is not None and known.job == found.job:
            decision = Decision(state=State.QUEUED)  # handed over before; the clock cannot undo it
        else:
            arrival = self._arrival(found, associations)
            counted = _is_counted(found.acquisition)
            decision = decide(found.completeness, arrival, quiet_seconds=self._quiet_seconds, counted=counted)
        queued = decision.state is State.QUEUED
        row = AcquisitionRow(
            acquisition=found.acquisition.key,
            study=study,
            state=decision.state,
            images=len(found.images),
            code=decision.code,
            reason=decision.reason,
            missing=decision.missing,
            job=found.job if queued else known.job if known else "",
            changed_at=self._clock(),
        )
        if known is not None and replace(row, changed_at=known.changed_at) == known:
            return known
        if queued:
            self._hand_over(study, found, associations[found.last.association])
        if known is None or _verdict(row) != _verdict(known):
            _announce(row)
            if self._refuse is not None and row.code and is_meant_for_a_map(found.acquisition):
                sender, refusal = associations[found.last.association], (row.code, row.reason)
                self._refuse(write_refusal_job(self._spool, study, found.acquisition, sender, refusal))
        return row

    def _arrival(self, found: _Found, associations: Mapping[str, AssociationRow]) -> Arrival:
        came = [associations[name] for name in {image.association for image in found.images}]
        cut_off = [one for one in came if one.ended_how in ("aborted", "lost") and not _made_good(one, came)]
        return Arrival(
            idle_seconds=self._clock() - found.last.received_at,
            associations=len(came),
            open=sum(one.ended_at is None for one in came),
            aborted=sum(one.ended_how == "aborted" for one in cut_off),
            lost=sum(one.ended_how == "lost" for one in cut_off),
        )

    def _hand_over(self, study: str, found: _Found, sender: AssociationRow) -> None:
        """Write the job and submit it, before the index says so: twice changes nothing, never is a loss."""
        write_job(self._spool, study, found.job, found.acquisition, sender)
        self._submit(found.job)


def _unexpected(error: Exception) -> Refusal:
    details = describe(error)
    return Refusal("unexpected", f"unexpected {details['error']} at {details['where']}; please report it")


def _made_good(cut_off: AssociationRow, came: Iterable[AssociationRow]) -> bool:
    """Say whether the sender of an interrupted association went on with a later one, and released that."""
    ended = cut_off.ended_at or 0.0
    return any(one.ended_how == "released" and one.opened_at >= ended for one in came)


def _is_counted(acquisition: Acquisition) -> bool:
    """Say whether the scanner declares slices and echoes; ``assess`` has compared their numbers with what is there.

    ImagesInAcquisition alone does not count: one echo of two can have as many images as it says of a series.
    """
    return all(header.declared_slices and header.declared_echoes for header in acquisition.headers)


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
