"""The whole service, killed with -9 at random moments under load: everything is delivered in the end, and once."""

import hashlib
import random
import time

import pytest

from plugin.config.settings import read_settings
from tests.support.campaign import FULL, count, counted, say
from tests.support.loopback import pacs, send_images, wait_for
from tests.support.privacy import check_nobody_is_named
from tests.support.service import Service
from tests.support.synthetic import write_small_scan

pytestmark = [pytest.mark.acceptance, pytest.mark.skipif(not FULL, reason="hundreds of starts: make faults")]
SCANS = 12


def test_every_complete_series_is_delivered_and_none_as_two_results(tmp_path):
    from pydicom import dcmread

    service, rng = Service(tmp_path / "service"), random.Random(5)
    scans = [[dcmread(p) for p in write_small_scan(tmp_path / f"scan{n}", seed=n + 1)] for n in range(SCANS)]
    kills = count(2, 200)
    acknowledged = [False] * SCANS
    with pacs(service.pacs_port) as peer:
        for number in counted(kills, "kills of the service"):
            with service.running():
                if number % 4 == 3:  # so that jobs are killed, too, at any moment of theirs
                    service.wait_until_ready()
                began, lasts = time.monotonic(), rng.uniform(0.1, 8)
                scan = number * SCANS // kills
                if not acknowledged[scan]:
                    statuses = send_until_killed(service, scans[scan])
                    acknowledged[scan] = statuses == [0x0000] * len(scans[scan])
                time.sleep(max(0.0, lasts - (time.monotonic() - began)))
        with service.running():
            service.wait_until_ready()
            for scan, done in zip(scans, acknowledged, strict=True):
                if not done:
                    assert send_images(service.port, scan) == [0x0000] * len(scan)
            wait_for(lambda: len(delivered(peer)) == SCANS, seconds=900, what="everything is delivered")
            status, settings = service.run("status").stdout, read_settings(service.config)
            check_nobody_is_named(service.folder, settings=settings, processes=[service.process.pid], texts=[status])
    contents = {}
    for image in peer.received:
        pixels = hashlib.sha256(image.PixelData).hexdigest()
        assert contents.setdefault(image.SOPInstanceUID, pixels) == pixels, "one UID, two results"
    assert len({image.SeriesInstanceUID for image in peer.received}) == SCANS
    say(f"{kills} kills of the service: {SCANS} series delivered, {len(contents)} images, none with two contents.")


def send_until_killed(service, images):
    try:
        return send_images(service.port, images)
    except (AssertionError, RuntimeError):
        return []


def delivered(peer):
    """Return the series of which every image arrived."""
    numbers = {}
    for image in list(peer.received):
        numbers.setdefault(image.SeriesInstanceUID, set()).add(image.InstanceNumber)
    return [one for one, found in numbers.items() if len(found) == 28]
