import pytest

from plugin.service.console.records.listing import PER_PAGE, list_series
from tests.support.console_site import Case, cases_by_name, make_site

CASES = cases_by_name()


def states(settings, view="all", words=""):
    found = {one.name: one.state for one in list_series(settings, view, words, 1).series}
    return {name: found[case.address] for name, case in CASES.items() if case.address in found}


def test_the_list_says_how_far_each_series_is(site):
    found = states(site)
    assert {name: found[name] for name in list(CASES)[:10]} == {
        "receiving": "receiving",
        "running": "reconstructing",
        "queued": "queued",
        "delivering": "delivering",
        "dead": "not delivered",
        "degraded": "delivered",
        "failed": "failed",
        "no-phase": "not reconstructed",
        "incomplete": "incomplete",
        "ignored": "skipped",
    }


def test_views_show_what_their_names_say(site):
    assert set(states(site, "attention")) == {"dead", "failed"}
    assert set(states(site, "working")) == {"receiving", "running", "queued", "delivering"}
    assert set(states(site, "without-map")) == {"no-phase", "incomplete", "ignored"}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("no-phase", {"no-phase"}),
        ("MAGNITUDE IMAGES", {"no-phase"}),
        (CASES["failed"].job_name, {"failed"}),
        ("1.2.failed.", {"failed"}),
        ("1.2.failed.1", {"failed"}),
        ("' OR 1=1 --", set()),
    ],
)
def test_words_names_and_uids_are_found(site, words, found):
    assert set(states(site, words=words)) == found


def test_the_list_is_shown_in_pages(tmp_path):
    settings = make_site(tmp_path / "spool", [Case(f"one-{number}") for number in range(PER_PAGE + 3)])
    pages = [list_series(settings, "all", "", page) for page in (1, 2, 99)]
    assert [len(page.series) for page in pages] == [PER_PAGE, 3, 3]
    assert (pages[0].found, pages[0].pages, pages[2].page) == (PER_PAGE + 3, 2, 2)
    assert not {one.name for one in pages[0].series} & {one.name for one in pages[1].series}
