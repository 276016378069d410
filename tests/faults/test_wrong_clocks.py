"""A PACS that is away for a day, and a system clock that jumps by days: everything is delivered, and in time."""

import time

import pytest
from pydicom import dcmread

from plugin.config.settings import read_settings
from tests.support.campaign import FULL, counted, say
from tests.support.loopback import LOOPBACK, free_port, pacs, send_images, wait_for
from tests.support.privacy import check_nobody_is_named
from tests.support.service import Service
from tests.support.synthetic import write_small_scan
from tests.support.wrong_clock import WrongClock

pytestmark = [pytest.mark.acceptance, pytest.mark.skipif(not FULL, reason="a day in jumps of an hour: make faults")]

MAP_IMAGES = 28
HOURS = 30
SCANS = 5
BUSY = 0xA700
LONGEST_PAUSE_SECONDS = 20


@pytest.fixture
def clock(tmp_path):
    return WrongClock(tmp_path / "clock")


@pytest.fixture
def scans(tmp_path):
    folders = [tmp_path / f"scan{n}" for n in range(SCANS)]
    return [[dcmread(path) for path in write_small_scan(one, seed=n + 1)] for n, one in enumerate(folders)]


def images_of(peer):
    return len(set(peer.uids()))


def states_of_deliveries(service):
    return {one["state"] for job in service.status()["jobs"] for one in job["deliveries"]}


def test_an_archive_that_is_away_for_a_day_gets_everything_and_nobody_else_waits(tmp_path, clock, scans):
    """The day passes by the system's clock, in jumps; then the clock jumps by two days, and back by one."""
    archive_port, answers = free_port(), [BUSY]
    archive = (
        f'{{ name = "archive", ae_title = "PACS", host = "{LOOPBACK}", port = {archive_port}, objects = ["qsm"] }}'
    )
    service = Service(
        tmp_path / "service",
        more_destinations=archive,
        longest_pause_seconds=LONGEST_PAUSE_SECONDS,
        environment=clock.environment,
    )
    seconds = []

    def send(scan):
        began, there = time.monotonic(), images_of(healthy)
        assert send_images(service.port, scan) == [0x0000] * len(scan)
        wait_for(lambda: images_of(healthy) == there + MAP_IMAGES, seconds=120, what="the healthy one has the map")
        seconds.append(time.monotonic() - began)

    with pacs(service.pacs_port) as healthy:
        with service.running():
            service.wait_until_ready()
            send(scans[0])
            for hour in counted(HOURS, "hours"):
                clock.jump(1.0)
                if hour % 10 == 5:
                    send(scans[1 + hour // 10])
            clock.jump(48.0)
            assert service.count("delivery.retried") > HOURS / 2
        clock.jump(24.0)  # while the service is down
        with service.running(), pacs(archive_port, answer=lambda _n: answers[0]) as late:
            service.wait_until_ready()
            wait_for(lambda: late.requests >= 2 * 4, seconds=60, what="the archive refuses for lack of resources")
            clock.jump(-24.0)
            send(scans[4])
            answers[0], back = 0x0000, time.monotonic()
            wait_for(lambda: images_of(late) == SCANS * MAP_IMAGES, seconds=180, what="the archive has everything")
            everything = time.monotonic() - back
            assert service.count("clock.set_back") > 0
            wait_for(lambda: states_of_deliveries(service) == {"sent"}, what="all deliveries end")
            settings, pids = read_settings(service.config), [service.process.pid]
            check_nobody_is_named(service.folder, settings=settings, processes=pids)
    assert service.count("delivery.failed") == 0
    assert len(healthy.uids()) == SCANS * MAP_IMAGES  # once
    say(
        f"An archive away for {HOURS} h in jumps of 1 h, the clock then 48 h forward, 24 h forward over a restart, and"
        f" 24 h back: {SCANS} maps delivered to it, all {everything:.0f} s after it took objects again, after"
        f" {service.count('delivery.retried')} attempts; none given up. The healthy destination had each map"
        f" {min(seconds):.0f} to {max(seconds):.0f} s after it was sent."
    )
