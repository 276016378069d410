"""Destinations that refuse, abort, keep silent or are away: everything arrives in the end, and nobody else waits."""

from tests.support.campaign import count, say
from tests.support.delivery_campaign import delivery_campaign
from tests.support.privacy import check_nobody_is_named
from tests.support.synthetic import write_small_scan


def test_everything_arrives_in_the_end_and_a_healthy_destination_waits_for_nobody(tmp_path):
    scan, jobs = write_small_scan(tmp_path / "scan")[:3], count(6, 100)
    counts = delivery_campaign(tmp_path / "spool", scan, jobs=jobs, seed=5)
    check_nobody_is_named(tmp_path)
    assert counts["attempts"] > 3 * jobs
    say(f"{jobs} jobs to a healthy, a troubled and an absent destination: {dict(counts)}, all delivered.")
