import pytest

from plugin.service.console.records.timeline import detail_of
from tests.support.console_site import cases_by_name

CASES = cases_by_name()


def test_a_series_has_its_timeline(site):
    found = detail_of(site, CASES["degraded"].address)
    assert [event.what for event in found.events] == [
        "First image received",
        "Last image received",
        "Complete",
        "Queued",
        "Images read",
        "Total field worked out",
        "Field inverted to susceptibility",
        "Map checked against the field",
        "QSM series written",
        "Other objects written",
        "Delivered to pacs",
        "Delivered to viewer",
    ]
    assert [event.at for event in found.events] == sorted(event.at for event in found.events)
    assert found.events[5].seconds == pytest.approx(9.9)
    assert (found.can_retry, found.can_cancel, found.live) == ([], [], False)


def test_a_running_series_says_what_it_does(site):
    progress = detail_of(site, CASES["running"].address).series.progress
    assert progress.step == "total field and susceptibility"
    assert 0.1 < progress.share < 1
