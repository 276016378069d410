from tests.support.delivery_campaign import delivery_campaign
from tests.support.synthetic import write_small_scan


def test_everything_arrives_in_the_end_and_a_healthy_destination_waits_for_nobody(tmp_path):
    scan = write_small_scan(tmp_path / "scan")[:3]
    counts = delivery_campaign(tmp_path / "spool", scan, jobs=6, seed=5)
    assert counts["attempts"] > 3 * 6
