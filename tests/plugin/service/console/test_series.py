from contextlib import closing

import pytest

from plugin.intake.index import existing_index
from plugin.jobs.queue import client
from plugin.log import uid_hash
from plugin.service.console.listing import PER_PAGE, list_series
from plugin.service.console.timeline import detail_of
from tests.support.console_client import signed_in, submit
from tests.support.console_site import NO_PHASE, SCRIPT, Case, cases_by_name, make_site

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
    assert set(states(site, "working")) == {"running", "queued", "delivering"}
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


def test_a_live_page_answers_only_what_has_changed(operator):
    asked = {"headers": {"hx-request": "true"}}
    first = operator.get(f"/series/{CASES['running'].address}", **asked)
    assert first.text.startswith('<div id="live"')
    assert "<html" not in first.text
    again = operator.get(f"/series/{CASES['delivering'].address}", **asked)
    seen = again.text.split("?seen=")[1][:16]
    answer = operator.get(f"/series/{CASES['delivering'].address}?seen={seen}", **asked)
    assert (answer.status_code, answer.text) == (204, "")


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


def test_a_page_says_how_good_the_map_is(viewer):
    page = viewer.get(f"/series/{CASES['degraded'].address}").text
    for text in ("degraded", "explains 71 %", "24.0 ppb", "35.0 ppb", "chi sd ppb", "20.99", "offsets of their own"):
        assert text in page


def test_a_page_says_in_words_why_there_is_no_map(viewer):
    page = viewer.get(f"/series/{CASES['no-phase'].address}").text
    assert NO_PHASE in page
    assert "missing: phase of every echo" in page
    assert "rule qsm: fits" in page


def test_every_state_has_a_page(viewer):
    for case in CASES.values():
        assert viewer.get(f"/series/{case.address}").status_code == 200


@pytest.mark.parametrize("name", ["0" * 16, "x", "0" * 17, "A" * 16])
def test_a_series_that_is_not_there_is_said_so(viewer, name):
    assert viewer.get(f"/series/{name}").status_code in (400, 404)


def test_names_of_patients_are_shown_to_whom_the_site_allows(browsers):
    for role, shown in (("viewer", False), ("operator", True), ("administrator", False)):
        for path in ("/series", f"/series/{CASES['degraded'].address}"):
            page = browsers[role].get(path).text
            assert ("Doe Jane" in page) is shown
        assert ("PID-0042" in page) is shown


def test_scripts_in_names_stay_text(operator):
    for path in ("/series", f"/series/{CASES['script'].address}", f"/series?q={SCRIPT}"):
        page = operator.get(path).text
        assert "&lt;script&gt;alert" in page
        assert "<script>" not in page


def test_an_operator_sends_a_dead_letter_again(site, operator, viewer):
    case, delivery = CASES["dead"], f"{CASES['dead'].job_name}.viewer+qsm"
    page = f"/series/{case.address}"
    refused = submit(viewer, f"{page}/retry", page=page, job=delivery)
    assert (refused.status_code, "role operator" in refused.text) == (403, True)
    answer = submit(operator, f"{page}/retry", page=page, job=delivery)
    assert f"1 queued again: {delivery}" in answer.text
    assert detail_of(site, case.address).series.state == "delivering"
    assert "nothing of job" in submit(operator, f"{page}/retry", page=page, job=delivery).text
    with client(site) as connected:
        (again,) = connected.list_workflows(workflow_ids=[f"{delivery}~2"])
    assert again.status == "ENQUEUED"


def test_an_operator_cancels_and_retries_a_job(tmp_path):
    settings = make_site(tmp_path / "spool", [Case("queued", job="ENQUEUED", deliveries={}, steps=0, verdict="")])
    operator, case = signed_in(settings, "operator"), Case("queued")
    page = f"/series/{case.address}"
    assert "Cancel</button>" in operator.get(page).text
    assert "1 cancelled" in submit(operator, f"{page}/cancel", page=page, job=case.job_name).text
    assert detail_of(settings, case.address).series.state == "cancelled"
    assert "1 queued again" in submit(operator, f"{page}/retry", page=page, job=case.job_name).text
    assert detail_of(settings, case.address).series.state == "queued"


@pytest.mark.parametrize("job", ["", "x", "%", "../../x", CASES["dead"].job_name])
def test_jobs_of_other_series_are_left_alone(operator, job):
    page = f"/series/{CASES['queued'].address}"
    assert submit(operator, f"{page}/cancel", page=page, job=job).status_code == 400


def test_uids_are_compared_by_their_hashes(site):
    with closing(existing_index(site)) as index:
        (row,) = [one for one in index.acquisitions() if one.acquisition == CASES["failed"].acquisition]
    assert row.study == uid_hash("1.2.failed.")
