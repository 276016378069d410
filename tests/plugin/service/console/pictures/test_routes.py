"""The pages that show a job's slices: what is found, what is not, and who may look."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from plugin.config.settings import Objects, Settings
from plugin.files import write_private_json
from plugin.intake.database.submitted import JobRow
from plugin.intake.index import Index, index_url
from plugin.jobs.pictures import with_pictures
from plugin.jobs.place import Place
from recon.quality.page.pictures import Picture
from tests.support import console_client

JOB, WITHHELD, REFUSED, WAITING = (f"{letter * 16}-{letter * 8}" for letter in "abcd")
SHAPE = (9, 7, 5)
AFFINE = np.diag((-0.7, -0.9, 2.0, 1.0))


def picture(name, unit="ppb"):
    values = np.arange(np.prod(SHAPE), dtype=np.uint8).reshape(SHAPE)
    return Picture(name=name, values=values, window=(-200.0, 200.0), unit=unit)


def map_report(folder, names, level="ok", affine=AFFINE):
    report = {"seconds": {}, "verdict": {"level": level, "reasons": ["It is <b>noisy</b>."]}, "not_made": {}}
    return with_pictures(report, lambda: [picture(name) for name in names], Place(folder=folder), affine)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    settings = Settings(spool=tmp_path_factory.mktemp("spool"), objects=Objects(swi=False))
    index = Index(index_url(settings.spool))
    for job in (JOB, WITHHELD, REFUSED, WAITING):
        index.add_job(JobRow(job=job, study="s", images=frozenset(), numbers=frozenset()))
    index.close()
    jobs = settings.spool / "jobs"
    write_private_json(map_report(jobs / JOB, ("magnitude", "qsm", "qsm-wide")), jobs / JOB / "report.json")
    tilted = AFFINE.copy()
    tilted[:3, :3] = np.array(((1, 0, 0), (0, 0.9, -0.44), (0, 0.44, 0.9))) @ tilted[:3, :3]
    withheld = {"failed_map": map_report(jobs / WITHHELD, ("qsm",), "failed", tilted), "refused": {"reason": "Bad."}}
    write_private_json(withheld, jobs / WITHHELD / "report.json")
    refused = {"refused": {"code": "no-phase", "reason": "There is no phase <i>image</i>."}}
    write_private_json(refused, jobs / REFUSED / "report.json")
    return settings


@pytest.fixture(scope="module")
def browser(settings):
    client = console_client.browser(settings)
    console_client.add_user(settings, "eve", "viewer")
    console_client.submit(client, "/sign-in", name="eve", password=console_client.PASSWORD)
    return client


def slice_of(browser, address):
    answer = browser.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


def test_a_stranger_is_sent_to_sign_in_and_sees_no_picture(settings):
    stranger = console_client.browser(settings, follow_redirects=False)
    for address in (f"/pictures/{JOB}", f"/pictures/{JOB}/qsm/axial/1.png"):
        answer = stranger.get(address)
        assert answer.status_code == 303
        assert "sign-in" in answer.headers["location"]


def test_the_page_shows_three_slices_with_links_that_need_no_script(browser):
    page = browser.get(f"/pictures/{JOB}?volume=qsm&plane=coronal&axial=4&coronal=99").text
    addresses = re.findall(r'<img src="([^"]+)"', page)
    assert [re.sub(r"\?v=\d+", "", one) for one in addresses] == [
        f"/pictures/{JOB}/qsm/axial/4.png",
        f"/pictures/{JOB}/qsm/coronal/7.png",
        f"/pictures/{JOB}/qsm/sagittal/5.png",
    ]
    sizes = {slice_of(browser, one).size for one in addresses}
    assert {(int(w), int(h)) for w, h in re.findall(r'width="(\d+)" height="(\d+)" alt="QSM, ', page)} == sizes
    assert "axial=5&amp;coronal=7&amp;sagittal=5" in page  # the next axial slice
    assert "−200 ppb" in page
    assert "SWI (switched off in [objects])" in page
    assert "Total field (not made)" in page
    assert "oblique" not in page
    assert "onclick" not in page
    assert "style=" not in page


def test_the_other_window_and_the_other_contrasts_are_links(browser):
    page = browser.get(f"/pictures/{JOB}").text
    assert re.search(r'id="wider" href="\?volume=qsm-wide', page)
    assert re.search(r'href="\?volume=magnitude', page)
    wide = browser.get(f"/pictures/{JOB}?volume=qsm-wide").text
    assert re.search(r'id="wider" href="\?volume=qsm&', wide)
    assert re.search(r'id="wider"[^>]* hidden', browser.get(f"/pictures/{JOB}?volume=magnitude").text)


def test_a_withheld_map_is_shown_with_its_verdict_burnt_in(browser):
    page = browser.get(f"/pictures/{WITHHELD}").text
    assert "Verdict: do not read this map" in page
    assert "It is &lt;b&gt;noisy&lt;/b&gt;." in page
    assert "oblique" in page
    failed = slice_of(browser, f"/pictures/{WITHHELD}/qsm/axial/1.png")
    assert np.median(np.asarray(failed)[:30]) == 235


def test_the_middle_slice_has_a_name(browser):
    middle = slice_of(browser, f"/pictures/{JOB}/qsm/axial/middle.png")
    assert np.array_equal(middle, slice_of(browser, f"/pictures/{JOB}/qsm/axial/3.png"))
    assert not np.array_equal(middle, slice_of(browser, f"/pictures/{JOB}/qsm/axial/2.png"))


def test_where_there_are_no_pictures_the_page_says_why(browser):
    assert "There is no phase &lt;i&gt;image&lt;/i&gt;." in browser.get(f"/pictures/{REFUSED}").text
    assert "written together with the map" in browser.get(f"/pictures/{WAITING}").text


def test_a_picture_is_kept_by_the_browser_under_the_address_of_its_version_alone(browser):
    page = browser.get(f"/pictures/{JOB}").text
    named = browser.get(re.search(r'<img src="([^"]+)"', page).group(1))
    assert named.headers["cache-control"] == "private, max-age=3600, immutable"
    assert "Cookie" in named.headers["vary"]
    plain = browser.get(f"/pictures/{JOB}/qsm/axial/3.png")
    assert plain.headers["cache-control"] == "private, no-cache"
    again = browser.get(f"/pictures/{JOB}/qsm/axial/3.png", headers={"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_browser_that_would_not_forget_pictures_at_sign_out_may_not_keep_them(browser):
    address = re.search(r'<img src="([^"]+)"', browser.get(f"/pictures/{JOB}").text).group(1)
    kept = {
        host: browser.get(address, headers={"host": host}).headers["cache-control"].startswith("private")
        for host in ("127.0.0.1:8112", "[::1]:8112", "localhost:8112", "10.0.0.5:8112")
    }
    assert list(kept.values()) == [True, True, True, False]


@pytest.mark.parametrize(
    "address",
    [
        "eeeeeeeeeeeeeeee-eeeeeeee",
        "%2e%2e",
        "..%2f..%2fconsole",
        f"{JOB}%2f..%2f{WITHHELD}",
        "*",
        f"{JOB}?volume=swi",
        f"{JOB}?volume=../../report.json",
        f"{JOB}/swi/axial/1.png",
        f"{JOB}/..%2freport.json/axial/1.png",
        f"{JOB}/../{WITHHELD}/secret.json",
        f"{JOB}/qsm/axial/6.png",
        f"{WAITING}/qsm/axial/1.png",
        f"{REFUSED}/qsm/axial/1.png",
    ],
)
def test_nothing_else_is_found(browser, address):
    assert browser.get(f"/pictures/{address}").status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        f"{JOB}?plane=oblique",
        f"{JOB}?axial=0",
        f"{JOB}?axial=x",
        f"{JOB}/qsm/up/1.png",
        f"{JOB}/qsm/axial/0.png",
        f"{JOB}/qsm/axial/-1.png",
        f"{JOB}/qsm/axial/one.png",
    ],
)
def test_an_address_that_makes_no_sense_is_a_bad_request(browser, address):
    assert browser.get(f"/pictures/{address}").status_code == 400


def test_pictures_that_retention_has_removed_are_gone(browser, settings):
    stored = settings.spool / "jobs" / JOB / "pictures" / "magnitude.npy"
    content = stored.read_bytes()
    stored.unlink()
    try:
        assert browser.get(f"/pictures/{JOB}/magnitude/axial/1.png").status_code == 404
        assert browser.get(f"/pictures/{JOB}").status_code == 404
    finally:
        stored.write_bytes(content)
