"""What leaves the spool, and when: only studies with which nothing more is to be done.

How long a study has been finished is counted in seconds for which the service ran since it found that, by the monotonic
clock: a clock that is set wrong removes nothing. What is being removed is written down first, so that a removal that
was interrupted is completed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dbos import DBOSClient

from plugin.config.settings import Settings
from plugin.files import write_private_json
from plugin.intake.completion import State
from plugin.intake.index import AcquisitionRow, Index, existing_index
from plugin.jobs.delivery.requests import forget_requests
from plugin.jobs.queue import DELIVER, RECONSTRUCT, client
from plugin.log import get_logger
from plugin.service.status import FAILED, UNFINISHED, latest_attempts

LEDGER_FILE = "retention.json"
TRASH_FOLDER = "trash"

_UNWANTED = frozenset({State.IGNORED, State.REFUSED})
_JOBS_PER_QUERY = 50


@dataclass(kw_only=True)
class Ledger:
    """Seconds for which the service ran, at which of them each study was found finished, and what is being removed."""

    seconds: float = 0.0
    finished_at: dict[str, float] = field(default_factory=dict)
    going: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, spool: Path) -> Ledger:
        """Read the ledger of a spool; a new one counts from now."""
        try:
            return cls(**json.loads((spool / LEDGER_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    def write(self, spool: Path) -> None:
        """Write the ledger."""
        write_private_json(asdict(self), spool / LEDGER_FILE)


class Keeper:
    """Removes what has been kept long enough."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._spool = settings.spool
        self._ledger = Ledger.read(settings.spool)
        self._counted_at = time.monotonic()
        self._claiming: Index | None = None
        self._leads = False

    def keep_house(self) -> list[str]:
        """Look at every study once; return those that were removed. Of several hosts, one does it for all."""
        if not self._take_lead():
            return []
        now = time.monotonic()
        self._ledger.seconds += now - self._counted_at
        self._counted_at = now
        with closing(existing_index(self._settings)) as index, client(self._settings) as connected:
            for study in self._ledger.going:
                self._remove(index, connected, study)
            finished = finished_studies(index, connected)
            known = self._ledger.finished_at
            self._ledger.finished_at = {study: known.get(study, self._ledger.seconds) for study in finished}
            self._ledger.write(self._spool)
            due = self._due(finished, index.committed_studies())
            removed = list(self._remove_each(index, connected, due))
            if removed:
                index.forget_senders()
        return removed

    def _take_lead(self) -> bool:
        """Say whether this host keeps house: the first that asks, until it ends; another goes on with its ledger."""
        if not self._settings.database_url:
            return True
        if self._claiming is None:
            self._claiming = existing_index(self._settings)
        led, self._leads = self._leads, self._claiming.claim(LEDGER_FILE)
        if self._leads and not led:
            self._ledger, self._counted_at = Ledger.read(self._spool), time.monotonic()
        return self._leads

    def remove(self, study: str) -> None:
        """Remove a study in whatever state it is; what still works on it is cancelled."""
        with closing(existing_index(self._settings)) as index, client(self._settings) as connected:
            for row in index.jobs(study):
                connected.cancel_workflow(row.job)
            list(self._remove_each(index, connected, [study]))

    def _due(self, finished: Mapping[str, bool], committed: Set[str]) -> Iterator[str]:
        """Yield the studies that have been kept long enough, the oldest first.

        While the disk is full, also those that were delivered, unless we have committed to them.
        """
        wanted = self._settings.retention
        oldest_first = sorted(finished, key=self._ledger.finished_at.__getitem__)
        for study in oldest_first:
            days = max(wanted.keep_days, wanted.committed_days) if study in committed else wanted.keep_days
            kept_long = self._ledger.seconds - self._ledger.finished_at[study] >= 86400 * days
            if kept_long or (finished[study] and study not in committed and self.is_full()):
                yield study

    def is_full(self) -> bool:
        """Say whether the spool's disk is so full that delivered studies are to be removed earlier."""
        usage = shutil.disk_usage(self._spool)
        return 100 * (1 - usage.free / usage.total) > self._settings.retention.clean_at_used_percent

    def _remove_each(self, index: Index, connected: DBOSClient, studies: Iterable[str]) -> Iterator[str]:
        for study in studies:
            self._ledger.going = [study]
            self._ledger.write(self._spool)
            self._remove(index, connected, study)
            yield study

    def _remove(self, index: Index, connected: DBOSClient, study: str) -> None:
        """Remove the images that are there now, what was made of them, and what is known of both.

        An image that arrives meanwhile stays: it is not among those that are moved away and forgotten.
        """
        images, jobs = index.images_in(study), [row.job for row in index.jobs(study)]
        trash = self._spool / TRASH_FOLDER / study
        trash.mkdir(mode=0o700, parents=True, exist_ok=True)
        for image, series in images.items():
            _move(self._spool / "images" / study / series / f"{image}.dcm", trash)
        for path in index.conflicts_of(list(images)):
            _move(self._spool / path, trash)
        for job in jobs:
            _move(self._spool / "jobs" / job, trash)
            forget_requests(self._spool, job)
        delete_workflows(connected, jobs)
        index.forget(study, list(images))
        shutil.rmtree(trash)
        _remove_empty(self._spool / "images" / study)
        self._ledger.going = []
        self._ledger.finished_at.pop(study, None)
        self._ledger.write(self._spool)
        get_logger().info("study.removed", study=study, images=len(images))


def finished_studies(index: Index, connected: DBOSClient) -> dict[str, bool]:
    """Return the studies with which nothing more is to be done, and whether results of them were delivered."""
    delivered = _delivered_jobs(connected)
    by_study: dict[str, list[AcquisitionRow]] = defaultdict(list)
    for row in index.acquisitions():
        by_study[row.study].append(row)
    finished = {}
    for study in index.studies():
        rows = by_study[study]
        wanted = [row for row in rows if row.state not in _UNWANTED]
        if not index.has_unread(study) and all(row.job in delivered for row in wanted):
            finished[study] = bool(wanted)
    return finished


def _delivered_jobs(connected: DBOSClient) -> set[str]:
    """Return the jobs that are done, and all of whose deliveries, at least one, are.

    Where the destination is asked to commit to what it was sent, a delivery is not done before it has.
    """
    jobs = connected.list_workflows(name=RECONSTRUCT, status="SUCCESS", load_input=False, load_output=False)
    attempts = connected.list_workflows(
        name=DELIVER, status=["SUCCESS", *UNFINISHED, *FAILED], load_input=False, load_output=False
    )
    deliveries: dict[str, set[str]] = defaultdict(set)
    for one in latest_attempts(attempts):
        deliveries[one.workflow_id.partition(".")[0]].add(one.status)
    return {one.workflow_id for one in jobs if deliveries[one.workflow_id] == {"SUCCESS"}}


def delete_workflows(connected: DBOSClient, jobs: list[str]) -> None:
    """Remove the workflows of jobs from the database."""
    for start in range(0, len(jobs), _JOBS_PER_QUERY):
        some = jobs[start : start + _JOBS_PER_QUERY]
        found = connected.list_workflows(workflow_id_prefix=some, load_input=False, load_output=False)
        if found:
            connected.delete_workflows([one.workflow_id for one in found])


def _move(path: Path, folder: Path) -> None:
    """Move a file or folder into another folder of the same disk, if it is still there."""
    if path.exists():
        path.rename(folder / path.name)


def _remove_empty(study: Path) -> None:
    """Remove the folders of a study that are empty; one into which an image is being put stays."""
    for folder in (*study.glob("*"), study):
        try:
            folder.rmdir()
        except OSError:
            continue
