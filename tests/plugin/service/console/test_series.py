import pytest

from plugin.jobs.queue import client
from plugin.service.console.records.listing import list_series
from plugin.service.console.records.timeline import detail_of
from tests.support.console_client import signed_in, submit
from tests.support.console_site import NO_PHASE, SCRIPT, Case, cases_by_name, make_site
from tests.support.job_rows import set_status

CASES = cases_by_name()


def test_a_live_page_answers_only_what_has_changed(operator):
    asked = {"headers": {"hx-request": "true"}}
    first = operator.get(f"/series/{CASES['running'].address}", **asked)
    assert first.text.startswith('<div id="live"')
    assert "<html" not in first.text
    again = operator.get(f"/series/{CASES['delivering'].address}", **asked)
    seen = again.text.split("?seen=")[1][:16]
    answer = operator.get(f"/series/{CASES['delivering'].address}?seen={seen}", **asked)
    assert (answer.status_code, answer.text) == (204, "")


def test_a_page_says_how_good_the_map_is(viewer):
    page = viewer.get(f"/series/{CASES['degraded'].address}").text
    shown = ("degraded", "explains 71 %", "24.0 ppb", "35.0 ppb", "offsets of their own")
    figures = ("susceptibility, SD", "21.0 ppb", "1515 ml", "chi_sd_ppb", "20.99")
    for text in shown + figures:
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


def test_an_operator_sends_a_dead_letter_again(tmp_path):
    site = make_site(tmp_path / "spool", [CASES["dead"]])
    operator, viewer = signed_in(site, "operator"), signed_in(site, "viewer")
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
    set_status(site, "SUCCESS", f"{delivery}~2")
    (shown,) = list_series(site, "all", case.job_name, 1).series
    assert (shown.state, {one.state for one in shown.deliveries}) == ("delivered", {"sent"})


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
