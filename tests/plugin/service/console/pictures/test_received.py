"""What is shown of a series that has no map: its images, as long as they are kept."""

import io
import re
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from dicom_io.synthetic import write_scan
from plugin.config.settings import Settings
from plugin.intake.completion import State
from plugin.intake.database.submitted import JobRow
from plugin.intake.index import existing_index
from plugin.jobs.queue import prepare_database
from tests.support.console_client import browser, signed_in
from tests.support.intake import QUIET, Site
from tests.support.phantom import make_echoes
from tests.support.synthetic import read_header

SLICES = 3


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A spool with magnitude images alone."""
    folder, spool = tmp_path_factory.mktemp("scan"), tmp_path_factory.mktemp("received") / "spool"
    echoes = make_echoes(echo_times_s=(0.005, 0.01), b0_tesla=3.0, shape=(4, 5, SLICES))
    paths = write_scan(echoes, folder, vendor="siemens", study_seed=1, patient_name="PLANTED^NAME")
    site = Site(spool)
    with closing(site.spool.index):
        site.send([path for path in paths if read_header(path).component == "magnitude"])
        assert site.pass_after(QUIET) == [State.INCOMPLETE]
        (row,) = site.spool.index.acquisitions()
    settings = Settings(spool=spool)
    prepare_database(settings)
    return settings, row.acquisition[:16]


@pytest.fixture(scope="module")
def client(settings):
    return signed_in(settings[0], "viewer")


def test_a_series_without_a_map_shows_what_came_and_why_there_is_none(client, settings):
    _, name = settings
    assert f'href="/received/{name}"' in client.get(f"/series/{name}").text
    page = client.get(f"/received/{name}").text
    assert "no usable phase images" in page
    assert "Magnitude, 5 ms" in page
    assert "PLANTED" not in page
    assert re.search(r"2 of 3</span>", page)
    answer = client.get(re.search(r'<img src="([^"]+)"', page)[1])
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/png", "no-store")
    assert len(np.unique(np.asarray(Image.open(io.BytesIO(answer.content))))) > 1


def test_links_lead_from_slice_to_slice_without_script(client, settings):
    _, name = settings
    page = client.get(f"/received/{name}?number=99").text
    assert f'src="/received/{name}/magnitude/3.png"' in page
    assert re.findall(rf'href="/received/{name}\?number=(\d+)"', page) == ["1", "2", "3", "3"]


def test_slices_of_a_job_without_pictures_are_linked(client, settings):
    site, name = settings
    with closing(existing_index(site)) as index:
        index.add_job(JobRow(job=f"{name}-{'0' * 8}", study="", images=frozenset(), numbers=frozenset()))
    page = client.get(f"/pictures/{name}-{'0' * 8}").text
    (following,) = re.findall(r'href="([^"]+)"[^>]*>Next<', page)
    assert f'src="/received/{name}/magnitude/3.png"' in client.get(following).text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/magnitude/4.png", 404),
        ("/phase/1.png", 404),
        ("/magnitude/0.png", 400),
        ("/else/1.png", 400),
        ("/..%2f..%2fjob/1.png", 404),
        ("?number=0", 400),
    ],
)
def test_nothing_else_is_found(client, settings, address, status):
    assert client.get(f"/received/{settings[1]}{address}").status_code == status
    assert client.get("/received/" + "0" * 16).status_code == 404


def test_a_stranger_sees_none_of_it(settings):
    stranger = browser(settings[0], follow_redirects=False)
    for address in ("", "/magnitude/1.png"):
        assert stranger.get(f"/received/{settings[1]}{address}").status_code == 303


def test_images_that_are_gone_are_said_to_be(client, settings):
    spool, name = settings[0].spool, settings[1]
    (spool / "images").rename(spool / "elsewhere")
    try:
        page = client.get(f"/received/{name}").text
        assert "no longer in the spool" in page
        assert "<img" not in page
        assert client.get(f"/received/{name}/magnitude/1.png").status_code == 404
    finally:
        (spool / "elsewhere").rename(spool / "images")
