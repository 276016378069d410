"""However a scanner sends an acquisition, one map results, equal to that of sending it plainly."""

import json
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydicom import dcmread

from dicom_io.synthetic import write_scan
from tests.support.loopback import read_folder, storescp, storescu
from tests.support.service import Service
from tests.support.synthetic import small_echoes, write_small_scan

pytestmark = pytest.mark.acceptance

SLICES = 28


def maps_of(folder):
    return {str(image.SOPInstanceUID): image.PixelData for image in read_folder(folder)}


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path / "service", quiet_seconds=30.0)


def test_aborted_resumed_shuffled_repeated_and_in_parallel_gives_the_plain_map_once(service, tmp_path):
    files = list(write_small_scan(tmp_path / "scan"))
    other = list(write_small_scan(tmp_path / "other", seed=2))
    plain = tmp_path / "plain"
    rng = random.Random(7)
    rng.shuffle(files)
    with service.running(), storescp(tmp_path / "pacs", service.pacs_port) as pacs:
        service.wait_until_ready()
        storescu(service.port, *files[:30], options=["--abort"])  # cut off; its sender resumes below
        with ThreadPoolExecutor(4) as senders:
            jobs = [senders.submit(storescu, service.port, file) for file in files[30:45]]  # one image each
            jobs += [
                senders.submit(storescu, service.port, *rng.sample(files[10:], len(files) - 10)),  # with repeats
                senders.submit(storescu, service.port, *rng.sample(files, 40)),
                senders.submit(storescu, service.port, *rng.sample(other, len(other))),  # another patient between
            ]
            for job in jobs:
                job.result()
        service.wait("delivery.done", times=2)
        storescu(service.port, *rng.sample(files, 20))  # and once more, after the map was delivered
        received = service.status()
        got = maps_of(pacs)
        assert {len(list(pacs.iterdir())), len(got)} == {2 * SLICES}
        assert [job["state"] for job in received["jobs"]] == ["done", "done"]
        assert received["images"]["received"] == len(files) + len(other)
        assert {row["state"] for row in received["acquisitions"]} == {"queued"}
        code = service.command("reconstruct", str(tmp_path / "scan"), "-o", str(plain), "--method", "tikhonov")
        subprocess.run(code, check=True, capture_output=True, timeout=300)
    alone = maps_of(plain / "qsm")
    assert len(alone) == SLICES
    assert {uid: got[uid] for uid in alone} == alone


def test_echoes_sent_one_by_one_by_a_scanner_that_states_no_counts_give_one_map_of_all(service, tmp_path):
    """The service is killed while it waits."""
    service.quiet_seconds = 40.0  # longer than a start on a busy machine
    service._write_config()
    echoes = {}
    for path in write_scan(small_echoes(echoes=3), tmp_path / "scan", vendor="united-imaging", study_seed=1):
        echoes.setdefault(dcmread(path, stop_before_pixels=True).EchoTime, []).append(path)
    first, second, third = echoes.values()
    with service.running():
        storescu(service.port, *first)
        service.wait("acquisition.collecting")
        storescu(service.port, *second)
    with service.running(), storescp(tmp_path / "pacs", service.pacs_port) as pacs:
        storescu(service.port, *third)
        service.wait_until_ready()
        service.wait("delivery.done")
        assert len(maps_of(pacs)) == SLICES
        assert [job["state"] for job in service.status()["jobs"]] == ["done"]
    (report,) = service.spool.glob("jobs/*/report.json")
    assert json.loads(report.read_text())["provenance"]["parameters"]["echo_times_ms"].count(",") == 2
