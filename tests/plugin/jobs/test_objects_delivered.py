"""Objects on their way: the map first, each destination what it is to get, a page where there is no map."""

import shutil
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import MRImageStorage, SecondaryCaptureImageStorage, SegmentationStorage

from dicom_io.source.acquisition.grouping import group_acquisitions
from plugin.config.settings import Destination, Objects, Retry, Settings
from plugin.jobs.job import Job, job_name
from plugin.jobs.queue import REFUSE, client, submit
from plugin.service.control import cancel, retry
from plugin.service.status import status
from recon.types import Verdict
from tests.support.loopback import free_port, pacs, wait_for
from tests.support.synthetic import read_header, write_small_scan
from tests.support.worker import running_worker


def destination(name, objects=None):
    return Destination(name=name, ae_title="PACS", host="127.0.0.1", port=free_port(), objects=objects)


@pytest.fixture
def site(tmp_path):
    """A worker whose archive gets everything, and whose console gets the map or the page."""
    settings = Settings(
        spool=tmp_path / "spool",
        destinations=(destination("archive"), destination("console", ("qsm", "refusal-page"))),
        objects=Objects({"brain-mask": True, "quality-page": False}),
        retry=Retry(first_seconds=0.2, longest_seconds=0.5, give_up_after_hours=1 / 60, probe_seconds=0.3),
    )
    with running_worker(settings):
        yield settings


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return write_small_scan(tmp_path_factory.mktemp("scan"))


def add_job(settings, scan, **values):
    copies = [shutil.copy(path, settings.spool / "images") for path in scan]
    (acquisition,) = group_acquisitions(read_header(Path(path)) for path in copies)
    name = job_name(acquisition)
    job = Job(acquisition=acquisition, calling_ae="MR1", address="10.0.0.5", **values)
    job.save(settings.spool / "jobs" / name, root=settings.spool)
    return name


def classes(peer):
    return [image.SOPClassUID for image in peer.received]


def test_each_destination_gets_its_objects_after_the_map(site, scan):
    archive, console = site.destinations
    job = add_job(site, scan)
    with pacs(archive.port) as archived, pacs(console.port) as shown, client(site) as connected:
        submit(connected, job)
        wait_for(lambda: SegmentationStorage in classes(archived), seconds=200, what="the mask is at the archive")
        wait_for(lambda: len(shown.received) == 28, what="the map is at the console")
        wait_for(lambda: len(archived.received) == 29, what="everything is at the archive")
        assert classes(archived) == [MRImageStorage] * 28 + [SegmentationStorage]
        assert set(classes(shown)) == {MRImageStorage}
        series = {(image.SeriesInstanceUID, image.SeriesNumber) for image in archived.received}
        assert len(series) == 2
        assert len({image.StudyInstanceUID for image in archived.received}) == 1

        def deliveries():
            (found,) = status(site)["jobs"]
            return sorted((one["destination"], one["part"], one["state"]) for one in found["deliveries"])

        expected = [("archive", "others", "sent"), ("archive", "qsm", "sent"), ("console", "qsm", "sent")]
        wait_for(lambda: deliveries() == expected, what="all is delivered")


def test_a_refused_job_leaves_a_page_at_the_console(site, scan):
    archive, console = site.destinations
    job = add_job(site, scan[:3])  # no volume: the reader refuses
    with pacs(archive.port) as archived, pacs(console.port) as shown, client(site) as connected:
        submit(connected, job)
        for peer in (archived, shown):
            wait_for(lambda peer=peer: peer.received, seconds=60, what="the page arrives")
            (page,) = peer.received
            assert page.SOPClassUID == SecondaryCaptureImageStorage
            assert page.ImageComments.startswith("QSM was not made")
            assert str(page.PatientName) == "PLANTED^NAME"
            assert b"PLANTED" not in page.ImageComments.encode()
        (found,) = status(site)["jobs"]
        assert found["state"] == "failed"
        assert {one["part"] for one in found["deliveries"]} == {"refusal"}


def test_a_map_that_is_not_to_be_read_is_withheld_and_the_page_says_why(site, scan, monkeypatch):
    failed = Verdict(level="failed", reasons=("The residual is too large.",))
    monkeypatch.setattr("recon.pipeline.judge_quality", lambda _figures: failed)
    archive, console = site.destinations
    job = add_job(site, scan)
    with pacs(archive.port), pacs(console.port) as shown, client(site) as connected:
        submit(connected, job)
        wait_for(lambda: shown.received, seconds=250, what="the console hears of it")
        assert "The residual is too large." in shown.received[0].ImageComments
        assert classes(shown) == [SecondaryCaptureImageStorage]
        kept = list((site.spool / "jobs" / job / "qsm").glob("*.dcm"))  # to look at, in the spool
        assert len(kept) == 28
        assert dcmread(kept[0], stop_before_pixels=True).SeriesDescription.startswith("FAILED QSM")


def test_what_was_refused_on_arrival_leaves_a_page_too_and_no_job_in_the_list(site, scan):
    archive, console = site.destinations
    job = add_job(site, scan[:5], refusal=("missing-slices", "echo 2 phase: all slices are missing"))
    with pacs(archive.port), pacs(console.port) as shown, client(site) as connected:
        submit(connected, job, REFUSE)
        submit(connected, job, REFUSE)
        wait_for(lambda: shown.received, seconds=60, what="the page arrives")
        assert "all slices are missing" in shown.received[0].ImageComments
    assert status(site)["jobs"] == []


def test_a_page_that_a_dead_console_missed_is_sent_again(site, scan):
    archive, console = site.destinations
    job = add_job(site, scan[:4], refusal=("no-phase", "no phase images"))
    with pacs(archive.port) as archived, client(site) as connected:
        submit(connected, job, REFUSE)
        wait_for(lambda: archived.received, seconds=60, what="the page is at the archive")
        assert cancel(site, f"{job}.console+refusal") == [f"{job}.console+refusal"]
        with pacs(console.port) as shown:
            assert retry(site, job) == [f"{job}.console+refusal"]
            wait_for(lambda: shown.received, seconds=60, what="the page is at the console")
