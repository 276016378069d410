"""The product as a site sees it: dcmtk is the scanner and the PACS, the service is a real process."""

import json
import shutil
import socket

import pytest

from tests.support.loopback import mr_image, pacs, read_folder, storescp, storescu, wait_for
from tests.support.privacy import check_nobody_is_named
from tests.support.service import Service
from tests.support.synthetic import write_small_scan

pytestmark = pytest.mark.acceptance

SLICES = 28


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path / "service")


@pytest.fixture
def scan(tmp_path):
    write_small_scan(tmp_path / "scan")
    return tmp_path / "scan"


def arrived(folder):
    return len(list(folder.iterdir()))


def test_a_series_goes_in_and_its_map_comes_out(service, scan, tmp_path):
    with service.running(), storescp(tmp_path / "pacs", service.pacs_port) as destination:
        storescu(service.port, scan)
        service.wait_until_ready()
        service.wait("delivery.done")
        images = read_folder(destination)
        assert len(images) == SLICES
        assert len({image.SOPInstanceUID for image in images}) == SLICES
        assert {str(image.PatientName) for image in images} == {"PLANTED^NAME"}
        assert {tuple(image.ImageType[:2]) for image in images} == {("DERIVED", "PRIMARY")}
        source = next(iter(read_folder(scan)))
        assert {image.StudyInstanceUID for image in images} == {source.StudyInstanceUID}

        # a resend is the same job: nothing runs, nothing is sent
        storescu(service.port, scan)
        # our own output, sent back by an automatic router, is ignored
        storescu(service.port, destination)
        service.wait("image.skipped", times=SLICES)
        (job,) = service.status()["jobs"]
        assert job["state"] == "done"
        assert [one["state"] for one in job["deliveries"]] == ["sent"]
        assert service.count("job.started") == 1
        assert arrived(destination) == SLICES
        check_that_nobody_is_named(service)

        # a phantom goes the same way, and nobody else hears of it
        assert service.run("self-test").returncode == 0
        assert arrived(destination) == SLICES
        wait_for(lambda: len(service.status()["jobs"]) == 1, what="the phantom is removed")
        assert service.stop() == 0


def test_killed_and_without_a_destination_the_map_arrives_all_the_same_and_once(service, scan, tmp_path):
    with service.running():  # killed within the job
        storescu(service.port, scan)
        service.wait_until_ready()
        wait_for(lambda: "reconstruct" in steps(service, "started"), seconds=90, what="the inversion begins")
        service.kill_supervisor()
        wait_for(lambda: listens_on_nothing(service), what="the receiver follows its supervisor")
    assert steps(service, "done") == ["read"]
    with service.running():
        service.wait_until_ready()
        service.wait("delivery.retried", times=2)  # nobody listens yet
        with storescp(tmp_path / "pacs", service.pacs_port) as destination:
            service.wait("delivery.done")
            assert arrived(destination) == SLICES
        (job,) = service.status()["jobs"]
        assert job["state"] == "done"
    assert steps(service, "done").count("read") == 1
    assert steps(service, "done").count("write") == 1
    assert service.count("delivery.done") == 1
    assert service.status()["images"]["received"] == len(list(scan.iterdir()))


def listens_on_nothing(service):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", service.port)) != 0


def steps(service, what):
    return [line["step"] for line in service.events() if line["event"] == f"step.{what}"]


def test_bad_input_is_named_and_the_service_goes_on(service, scan, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    other = mr_image("other", "1", 1)
    other.SOPClassUID = other.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"  # CT
    other.save_as(bad / "ct.dcm", enforce_file_format=True)
    gap = tmp_path / "gap"
    paths = write_small_scan(gap, seed=2)
    missing = tmp_path / "missing.dcm"
    shutil.move(paths[10], missing)
    with service.running(), storescp(tmp_path / "pacs", service.pacs_port) as destination:
        storescu(service.port, bad)
        storescu(service.port, gap)
        assert service.wait("image.skipped")["code"] == "not-mr-image"
        gone = service.wait("acquisition.incomplete")
        assert gone["code"] == "missing-slices"
        assert "slice" in gone["reason"]
        check_that_it_is_explained(service, read_folder(gap)[0])
        assert arrived(destination) == 0

        storescu(service.port, scan)
        service.wait_until_ready()
        service.wait("delivery.done")
        assert arrived(destination) == SLICES

        # the late slice re-opens what was incomplete
        late = tmp_path / "late"
        late.mkdir()
        shutil.move(missing, late / "late.dcm")
        storescu(service.port, late)
        service.wait("delivery.done", times=2)
        assert arrived(destination) == 2 * SLICES


def check_that_it_is_explained(service, image):
    """Ask why an acquisition that lacks an image was not reconstructed."""
    for uid in (image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID):
        ended = service.run("explain", uid, "--json")
        assert ended.returncode == 3
        (row,) = json.loads(ended.stdout)["acquisitions"]
        assert (row["code"], row["evidence"]) == ("missing-slices", "quiet time")
        assert len(row["missing"]) == 1
    people = service.run("explain", image.SeriesInstanceUID)
    assert "Images are missing" in " ".join(people.stdout.split())
    for text in (people.stdout, ended.stdout):
        assert "PLANTED" not in text
        assert image.SeriesInstanceUID not in text
    unknown = service.run("explain", "1.2.3.4")
    assert (unknown.returncode, "received no" in unknown.stderr) == (1, True)


def check_that_nobody_is_named(service):
    check_nobody_is_named(service.folder, texts=[service.run("status").stdout])
    for path in service.spool.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_taken_port_is_a_clear_error(service):
    with pacs(service.port):
        ended = service.run("serve")
    assert ended.returncode == 2
    assert f"127.0.0.1:{service.port}" in ended.stderr
    assert "Traceback" not in ended.stderr
