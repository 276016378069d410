import xml.etree.ElementTree as ET

import pytest

from plugin.config.service_settings import Audit, Console
from plugin.config.settings import Settings
from plugin.service.console import throttle
from plugin.service.console.accounts import Accounts
from tests.support.console_client import PASSWORD, add_user, browser, submit, token_in

PAGES = ("/series", "/series/0123456789abcdef", "/destinations", "/system", "/log", "/users", "/account")


@pytest.fixture
def settings(tmp_path):
    return Settings(spool=tmp_path, audit=Audit(to="file"), console=Console(session_hours=1))


def audited(settings):
    """Event types, users and outcomes of the audit messages that wait."""
    found = []
    for path in sorted((settings.spool / "audit").glob("*.xml")):
        root = ET.parse(path).getroot()
        event = root.find("EventIdentification")
        code = event.find("EventTypeCode").get("csd-code")
        found.append((code, root.find("ActiveParticipant").get("UserID"), event.get("EventOutcomeIndicator")))
    return found


def test_the_first_administrator_is_made_with_the_token(settings):
    Accounts(settings.spool).offer_token()
    client = browser(settings)
    page = client.get("/")
    assert page.url.path == "/first-administrator"
    token = Accounts(settings.spool).token_file.read_text()
    assert token not in page.text
    fields = {"name": "root", "password": PASSWORD, "again": PASSWORD}
    assert submit(client, "/first-administrator", token="wrong", **fields).status_code == 400
    assert submit(client, "/first-administrator", token=token, **{**fields, "again": "other"}).status_code == 400
    client.follow_redirects = False
    assert submit(client, "/first-administrator", token=token, **fields).headers["location"] == "/"
    assert client.get("/users").status_code != 303
    assert client.get("/first-administrator").status_code == 303
    assert [one for one in audited(settings) if one[2] == "0"] == [("110122", "root", "0"), ("110136", "root", "0")]


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_page_without_signing_in(settings, path):
    add_user(settings, "eve", "viewer")
    client = browser(settings, follow_redirects=False)
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")
    live = client.get(path, headers={"hx-request": "true"})
    assert (live.status_code, live.headers["hx-redirect"], live.text) == (401, "/sign-in", "")


def test_a_session_begins_ends_and_is_the_browser_s_alone(settings):
    add_user(settings, "eve", "viewer")
    client = browser(settings)
    client.follow_redirects = False
    assert submit(client, "/sign-in", name="eve", password="wrong password").status_code == 401
    answer = submit(client, "/sign-in", name="eve", password=PASSWORD, next="/log")
    assert answer.headers["location"] == "/log"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "max-age=3600" in cookie
    page = client.get("/log")
    assert page.status_code == 200
    assert "eve" in page.text
    assert client.get("/users").status_code == 403
    stolen = dict(client.cookies)
    left = submit(client, "/sign-out", page="/log").headers
    assert (left["location"], left["clear-site-data"]) == ("/sign-in", '"cache"')
    assert client.get("/log").status_code == 303
    Accounts(settings.spool).set_password("eve", PASSWORD + "2")
    client.cookies.update(stolen)
    assert client.get("/log").status_code == 303
    assert audited(settings) == [("110122", "eve", "4"), ("110122", "eve", "0"), ("110123", "eve", "0")]


def test_a_session_ends_with_its_hours(settings, monkeypatch):
    add_user(settings, "eve", "viewer")
    client = browser(settings, follow_redirects=False)
    submit(client, "/sign-in", name="eve", password=PASSWORD)
    assert client.get("/log").status_code == 200
    now = __import__("time").time()
    monkeypatch.setattr("plugin.service.console.access.time.time", lambda: now + 3601)
    assert client.get("/log").status_code == 303


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", ""])
def test_signing_in_leads_nowhere_else(settings, target):
    add_user(settings, "eve", "viewer")
    client = browser(settings, follow_redirects=False)
    answer = submit(client, "/sign-in", name="eve", password=PASSWORD, next=target)
    assert answer.headers["location"] == "/"


def test_brute_force_is_slowed_by_account_and_audited(settings):
    add_user(settings, "eve", "viewer")
    client = browser(settings)
    token = token_in(client.get("/sign-in").text)
    guess = {"name": "eve", "password": "guessed password", "csrf": token}
    statuses = [client.post("/sign-in", data=guess).status_code for _ in range(throttle.PER_ACCOUNT + 3)]
    assert statuses == [401] * throttle.PER_ACCOUNT + [429] * 3
    answer = client.post("/sign-in", data={**guess, "password": PASSWORD})
    assert answer.status_code == 429
    assert "minutes" in answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert audited(settings) == [("110122", "eve", "4")] * (throttle.PER_ACCOUNT + 1)  # the slowing is told once


def test_brute_force_is_slowed_by_address_and_keeps_no_guessed_name(settings, monkeypatch, capsys):
    add_user(settings, "eve", "viewer")
    monkeypatch.setattr(Accounts, "sign_in", lambda *_: None)
    client = browser(settings)
    token = token_in(client.get("/sign-in").text)
    for number in range(throttle.PER_ADDRESS):
        client.post("/sign-in", data={"name": f"guess{number}", "password": "x", "csrf": token})
    assert client.post("/sign-in", data={"name": "eve", "password": PASSWORD, "csrf": token}).status_code == 429
    assert {user for _, user, _ in audited(settings)} == {"an unknown name", "eve"}
    assert "guess1" not in capsys.readouterr().out
    elsewhere = browser(settings, client=("10.0.0.10", 1))
    assert submit(elsewhere, "/sign-in", name="x", password="x").status_code == 401
