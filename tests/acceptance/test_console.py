"""A newcomer's way through the operator console, in a real browser, before the real service, with the keyboard."""

import pytest
from playwright.sync_api import expect

from tests.support.chromium import Visitor, chromium
from tests.support.loopback import free_port, pacs, storescu, wait_for
from tests.support.service import Service
from tests.support.synthetic import read_header, write_small_scan

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

PASSWORD = "correct horse battery"
NOT_SUPPORTED = 0x0122
SLICES = 28
SLOW_MS = 60_000


@pytest.fixture
def service(tmp_path):
    folder = tmp_path / "service"
    return Service(folder, quiet_seconds=1.0, console_port=free_port(), give_up_refused_after_hours=1e-4)


@pytest.fixture
def scan(tmp_path):
    write_small_scan(tmp_path / "scan")
    return tmp_path / "scan"


@pytest.fixture
def without_phase(tmp_path):
    """The magnitude images of another scan."""
    for path in write_small_scan(tmp_path / "other", seed=2):
        if read_header(path).component != "magnitude":
            path.unlink()
    return tmp_path / "other"


def test_a_newcomer_sees_the_map_finds_out_why_there_is_none_and_sends_again(service, scan, without_phase):
    answers = {"status": NOT_SUPPORTED}
    with (
        chromium() as browser,
        pacs(service.pacs_port, answer=lambda _n: answers["status"]) as peer,
        service.running(),
    ):
        service.wait("console.listening")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(SLOW_MS)
        visitor = Visitor(page)
        begin(visitor, service)
        watch_the_head_come(visitor, service, scan)
        look_around(visitor)
        watch_the_series_without_phase_come(visitor, service, without_phase)
        look_at_the_pictures(visitor)
        find_out_why_there_is_no_map(visitor)
        answers["status"] = 0x0000
        send_again(visitor)
        wait_for(lambda: len(peer.received) == SLICES, what="the map arrives")
        leave(visitor)
        assert visitor.complaints == []


def begin(visitor, service):
    """Make the first administrator with the token that the service wrote."""
    page, spool = visitor.page, service.spool
    page.goto(f"http://127.0.0.1:{service.console_port}/")
    visitor.inspect("first-administrator")
    token = (spool / "console" / "first-administrator-token").read_text().strip()
    visitor.fill(token=token, name="ada", password=PASSWORD, again=PASSWORD)
    visitor.follow("main button")
    assert page.url.endswith("/series")
    assert "Nothing was received yet" in page.inner_text("main")
    visitor.follow('nav a[href="/log"]')
    visitor.inspect("log")
    visitor.follow('nav a[href="/series"]')


def watch_the_head_come(visitor, service, scan):
    """The list follows without being loaded again."""
    page = visitor.page
    page.evaluate("window.loadedOnce = true")
    storescu(service.port, scan)
    expect(page.locator("tbody th a")).to_have_count(1, timeout=SLOW_MS)
    state = page.locator("tbody .state").first
    expect(state).not_to_have_text(state.inner_text(), timeout=SLOW_MS)
    assert page.evaluate("window.loadedOnce")


def look_around(visitor):
    """Pages that every newcomer opens once; meanwhile the map is made."""
    for name in ("system", "users"):
        visitor.follow(f'nav a[href="/{name}"]')
        visitor.inspect(name)
    visitor.follow('.who a[href="/account"]')
    visitor.inspect("account")


def watch_the_series_without_phase_come(visitor, service, without_phase):
    page = visitor.page
    visitor.follow('nav a[href="/series"]')
    storescu(service.port, without_phase)
    expect(page.locator("tbody th a")).to_have_count(2, timeout=SLOW_MS)
    expect(page.locator("main")).to_contain_text("There are no usable phase images", timeout=SLOW_MS)
    expect(page.locator("main")).to_contain_text("not delivered", timeout=4 * SLOW_MS)
    visitor.inspect("series")


def look_at_the_pictures(visitor):
    """The map, slice by slice."""
    page = visitor.page
    row = page.locator("tbody tr").filter(has_text="not delivered")
    visitor.follow(f"#{row.locator('th a').get_attribute('id')}")
    visitor.inspect("reconstructed")
    visitor.follow("a.strip")
    place = page.locator("figure[data-plane=axial] .place")
    image = page.locator("figure[data-plane=axial] img")
    number, count = map(int, place.inner_text().split(" of "))
    assert page.evaluate("document.activeElement.id") == "viewer"
    before = image.screenshot()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("PageDown")
    assert place.inner_text() == f"{max(1, number + 1 - 10)} of {count}"
    page.wait_for_load_state("networkidle")
    assert image.screenshot() != before
    assert image.get_attribute("alt").startswith("QSM, axial slice ")
    page.keyboard.press("Home")
    page.mouse.move(*centre(image))
    page.mouse.wheel(0, -100)
    expect(place).to_have_text(f"2 of {count}")
    for key, low in (("w", "−1000 ppb"), ("2", "−100 Hz"), ("1", "0"), ("3", "−200 ppb")):
        page.keyboard.press(key)
        assert page.inner_text("#low") == low
    page.keyboard.press("c")
    assert page.get_attribute("figure.chosen", "data-plane") == "coronal"
    assert "plane=coronal" in page.url
    page.reload()
    assert page.get_attribute("figure.chosen", "data-plane") == "coronal"
    page.keyboard.press("a")
    page.keyboard.press("Home")
    for _ in range(count // 20):
        page.keyboard.press("PageUp")
    page.wait_for_load_state("networkidle")
    visitor.inspect("pictures")


def centre(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def find_out_why_there_is_no_map(visitor):
    """The series without phase says so in words, shows what came, and what to change at the scanner."""
    page = visitor.page
    visitor.follow('nav a[href="/series"]')
    row = page.locator("tbody tr").filter(has_text="no usable phase images")
    visitor.follow(f"#{row.locator('th a').get_attribute('id')}")
    words = page.inner_text("main")
    assert "There are no usable phase images" in words
    assert page.locator("a.strip").count() == 0
    visitor.inspect("not-reconstructed")
    visitor.follow("a[href^='/received/']")
    page.wait_for_load_state("networkidle")
    assert page.locator("figure img").evaluate_all("images => images.map(one => one.naturalWidth > 0)") == [True]
    visitor.follow('nav a[href="/protocol"]')
    assert "0 of 2 echoes with magnitude and phase" in page.inner_text("main")
    visitor.inspect("protocol")


def send_again(visitor):
    """The destination takes the map now."""
    page = visitor.page
    visitor.follow('nav a[href="/destinations"]')
    assert "Not delivered to pacs" in page.inner_text("main")
    visitor.inspect("dead-letters")
    visitor.follow("button[id^=again-]")
    expect(page.locator("main")).to_contain_text("Delivered to pacs", timeout=SLOW_MS)
    page.screenshot(path=visitor.screenshots / "delivered-1280.png")


def leave(visitor):
    page = visitor.page
    pictures = page.get_attribute("a.strip", "href")
    visitor.follow(".who button")
    assert page.url.endswith("/sign-in")
    visitor.inspect("sign-in")
    page.goto(page.url.replace("/sign-in", pictures))
    assert "/sign-in?next=" in page.url
