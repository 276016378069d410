import re

import pytest

from tests.support.console_site import SCRIPT, cases_by_name

CASES = cases_by_name()


def test_each_protocol_is_shown_once_with_what_to_change_first(viewer):
    page = viewer.get("/protocol").text
    headings = re.findall(r'<h2 id="protocol-[0-9a-f]+">([^<]+)</h2>', page)
    assert sorted(headings)[-2:] == ["p" * 64, CASES["no-phase"].protocol]
    assert len(headings) == 3  # and that whose name is a script
    assert "Siemens Healthineers Prisma, 3.0 T" in page
    assert page.index("Unfiltered phase") < page.index("bipolar")
    assert "Readout mode: Monopolar" in page
    assert "do not state: partial Fourier" in page
    assert "later version" not in page
    assert "Doe" not in page


def test_scripts_in_names_of_protocols_stay_text(viewer):
    page = viewer.get("/protocol").text
    assert "&lt;script&gt;alert" in page
    assert SCRIPT[:30] not in page
    assert "style=" not in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-phase", "marked FM"),
        ("receiving", "It is judged when the series is complete."),
        ("ignored", "not the images of a gradient echo"),
        ("degraded", "could not be judged (protocol.failed in the log)"),
    ],
)
def test_the_page_of_a_series_shows_its_protocol_or_says_why_not(viewer, name, words):
    assert words in viewer.get(f"/series/{CASES[name].address}").text
