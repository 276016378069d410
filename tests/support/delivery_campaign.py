"""A campaign of deliveries to destinations that refuse, abort, keep silent, or are away; a healthy one beside them."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from dicom_io.source.acquisition.grouping import group_acquisitions
from plugin.config.settings import Destination, Objects, Retry, Settings
from plugin.jobs.delivery.deliveries import Attempt
from plugin.jobs.job import Job
from plugin.jobs.queue import attempt_of, client
from tests.support.loopback import free_port, mr_image, pacs, wait_for
from tests.support.synthetic import read_header
from tests.support.worker import running_worker

ANSWERS = (0x0000, 0x0000, 0xA700, 0x0110, 0x0122, 0xA900, 0xC000, None)
"""What a troubled destination answers, drawn for each image; None aborts the association."""

IMAGES = 4


def delivery_campaign(spool: Path, scan: tuple[Path, ...], *, jobs: int, seed: int) -> Counter[str]:
    """Deliver jobs to a healthy, a troubled and an absent destination, the last two of which recover.

    Asserts that every image reaches every destination, and that the healthy one has all before the others recover.
    Returns how many images, attempts and requests there were.
    """
    draw = random.Random(seed)
    settings = Settings(
        spool=spool,
        destinations=tuple(
            Destination(name=name, ae_title="PACS", host="127.0.0.1", port=free_port())
            for name in ("healthy", "troubled", "absent")
        ),
        objects=Objects({"quality-page": False, "refusal-page": False}),
        retry=Retry(first_seconds=0.1, longest_seconds=0.5, give_up_after_hours=1, probe_seconds=0.3),
    )
    healthy, troubled, absent = (one.port for one in settings.destinations)
    recovered: list[bool] = []
    with running_worker(settings), ExitStack() as peers:
        names = [write_job(settings, scan, number) for number in range(jobs)]
        good = peers.enter_context(pacs(healthy))
        bad = peers.enter_context(pacs(troubled, answer=lambda _n: 0x0000 if recovered else draw.choice(ANSWERS)))
        _queue(settings, names)
        wait_for(lambda: len(set(good.uids())) == jobs * IMAGES, seconds=30 + jobs, what="the healthy one has all")
        recovered.append(True)
        late = peers.enter_context(pacs(absent))
        for peer in (bad, late):
            wait_for(lambda peer=peer: len(set(peer.uids())) == jobs * IMAGES, seconds=60 + jobs, what="all arrives")
        with client(settings) as connected:
            wait_for(lambda: not connected.list_workflows(status=["PENDING", "ENQUEUED"]), what="all deliveries end")
            found = connected.list_workflows(load_input=False)
        assert not [one.workflow_id for one in found if one.status != "SUCCESS"]
        assert len(good.uids()) == jobs * IMAGES  # once
        attempts = Counter(attempt_of(one.workflow_id)[0] for one in found)
        assert max(count for name, count in attempts.items() if ".healthy+" in name) == 1
        return Counter(images=3 * jobs * IMAGES, attempts=sum(attempts.values()), requests=good.requests + bad.requests)


def write_job(settings: Settings, scan: tuple[Path, ...], number: int) -> str:
    """Write a job with the images of a map; its name is no acquisition's."""
    name = f"{number:016x}-{number:08x}"
    folder = settings.spool / "jobs" / name
    copies = [shutil.copy(path, settings.spool / "images") for path in scan]
    (acquisition,) = group_acquisitions(read_header(Path(path)) for path in copies)
    Job(acquisition=acquisition).save(folder, root=settings.spool)
    (folder / "qsm").mkdir()
    for n in range(IMAGES):
        mr_image("s", str(number), n).save_as(folder / "qsm" / f"{n}.dcm", enforce_file_format=True)
    return name


def _queue(settings: Settings, jobs: list[str]) -> None:
    files = [f"qsm/{n}.dcm" for n in range(IMAGES)]
    with client(settings) as connected:
        for job in jobs:
            for one in settings.destinations:
                attempt = Attempt(job=job, destination=one.name, part="qsm", names=files, queued_at=time.time())
                connected.enqueue(attempt.options, asdict(attempt))
