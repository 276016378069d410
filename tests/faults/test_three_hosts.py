"""Three hosts on one PostgreSQL and one spool: one loses its power, one is cut off and comes back, one goes on."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydicom import dcmread

from plugin.intake.database.heartbeats import BEAT_SECONDS, DEAD_SECONDS
from tests.support.campaign import FULL, say
from tests.support.loopback import wait_for
from tests.support.privacy import check_nobody_is_named
from tests.support.synthetic import write_small_scan
from tests.support.three_hosts import seconds_until_taken_over, three_hosts

pytestmark = [pytest.mark.acceptance, pytest.mark.skipif(not FULL, reason="leases of a minute: make faults")]
SCANS = 15
TAKEN_OVER_SECONDS = DEAD_SECONDS + 2 * BEAT_SECONDS + 10
"""The lease, the last renewal, the look of the others, and a busy machine."""


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    return [[dcmread(path) for path in write_small_scan(folder / str(n), seed=n + 1)] for n in range(SCANS)]


def study_of(scan):
    return str(scan[0].StudyInstanceUID)


@pytest.mark.parametrize(("step", "seconds_into_it"), [("reconstruct", 0.0), ("deliver-to-pacs", 0.5)])
def test_two_hosts_of_three_fail_and_every_series_is_delivered_once(tmp_path, scans, step, seconds_into_it):
    *shared, inside, afterwards = scans
    with three_hosts(tmp_path) as site, ThreadPoolExecutor(3) as senders:
        one, two, three = site.hosts
        sending = [senders.submit(send_all, site, host, shared[n::3]) for n, host in enumerate(site.hosts)]
        wait_for(lambda: one.is_at(step), seconds=120, what="the first host works")
        time.sleep(seconds_into_it)
        one.lose_power()
        dead_since = time.time()
        wait_for(
            lambda: two.is_at(step) and (site.claims(two, shared) or sending[1].done()),
            seconds=120,
            what="the second host works, on a job and on what it receives",
        )
        time.sleep(seconds_into_it)
        claimed = site.claims(two, shared)
        two.namespace.pull_cable()
        cut_since = time.time()
        with ThreadPoolExecutor(1, initializer=two.namespace.enter) as scanner_beside_it:
            scanner_beside_it.submit(site.send, inside, [two]).result()
        for sender in sending:
            sender.result()
        everything = set(map(study_of, shared))
        wait_for(lambda: everything <= site.delivered(), seconds=240, what="the third host delivers all that it can")
        wait_for(lambda: seconds_until_taken_over(three, two, cut_since), seconds=90, what="jobs are taken over")
        assert study_of(inside) not in site.delivered()
        cut_seconds = time.time() - cut_since
        two.namespace.plug_cable()
        two.service.wait("lease.lost", seconds=120)
        one.get_power()
        wait_for(lambda: study_of(inside) in site.delivered(), seconds=180, what="what the cut-off host received")
        site.send(afterwards, [one])
        wait_for(lambda: len(site.delivered()) == SCANS, seconds=180, what="the last series is delivered")
        wait_for(lambda: {found.status for found in site.workflows()} == {"SUCCESS"}, seconds=120, what="all ends")
        site.check_images()
        images = site.check_maps(scans)
        dump, pids = site.server.dump(site.url), [host.service.process.pid for host in site.hosts]
        check_nobody_is_named(tmp_path, processes=pids, texts=[dump, (site.server.folder / "log").read_bytes()])
        written = site.written_by()
        assert len(written) == SCANS
        dead, cut = (seconds_until_taken_over(three, *moment) for moment in ((one, dead_since), (two, cut_since)))
        assert dead
        assert max(dead + cut) < TAKEN_OVER_SECONDS
        say(
            f"Three hosts at {step}, one without power, one cut off for {cut_seconds:.0f} s with {claimed} studies"
            f" claimed: {len(site.acknowledged)} images acknowledged on {site.associations} associations, all on disk;"
            f" {SCANS} series delivered, {images} images, {len(site.peer.received) - images} sent again, none"
            " with two contents;"
            f" results by host {[list(written.values()).count(host.name) for host in site.hosts]};"
            f" taken over after {sorted(map(round, dead))} and {sorted(map(round, cut))} s;"
            f" {two.service.count('lease.lost')} leases of the host that came back were lost."
        )


def send_all(site, host, scans):
    """Send to a host; what it does not take, to the one that does not fail."""
    for scan in scans:
        site.send(scan, (host, site.hosts[2]))
