"""A PACS that is away for a day, by the clock of the real service's processes: everything is there in the end, once."""

from pathlib import Path

import pytest
from pydicom import dcmread

from tests.support.campaign import FULL, say
from tests.support.loopback import pacs, send_images, wait_for
from tests.support.service import Service
from tests.support.synthetic import write_small_scan

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
HOURS = 23
"""Less than the day after which a delivery is given up."""

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(not FULL, reason="a service under another clock: make faults"),
    pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed"),
]


def test_what_was_made_arrives_after_a_day(tmp_path):
    clock = tmp_path / "clock"
    clock.write_text("+0h")
    variables = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    service = Service(tmp_path / "service", environment=variables)
    images = [dcmread(path) for path in write_small_scan(tmp_path / "scan")]
    with service.running():
        service.wait_until_ready()
        assert send_images(service.port, images) == [0x0000] * len(images)
        for hour in range(HOURS):
            service.wait("delivery.retried", times=hour + 1)
            clock.write_text(f"+{hour + 1}h")
        tried = service.count("delivery.retried")
        with pacs(service.pacs_port) as peer:
            service.wait("delivery.done")
            wait_for(lambda: len(set(peer.uids())) == 28, what="every image is there")
            assert len(peer.uids()) == 28
    first, last = (service.events()[at]["timestamp"] for at in (0, -1))
    assert first[:10] < last[:10]
    say(f"A PACS that was away for {HOURS} hours: {tried} attempts, 28 images delivered once ({first} to {last}).")
