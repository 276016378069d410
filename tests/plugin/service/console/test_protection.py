import pytest

from plugin.config.service_settings import Console
from tests.support.console_client import add_user, browser, token_in
from tests.support.console_site import cases_by_name

FORMS = (
    "/sign-in",
    "/first-administrator",
    "/sign-out",
    f"/series/{cases_by_name()['dead'].address}/retry",
    "/destinations/echo",
    "/system/self-test",
    "/users/add",
    "/users/remove",
    "/account",
)


@pytest.mark.parametrize("path", FORMS)
def test_a_forged_form_is_refused(administrator, path):
    for options in (
        {"data": {"name": "x"}},
        {"data": {"name": "x", "csrf": "x"}},
        {"data": {"name": "x", "csrf": token_in(browser_page(administrator, "/users"))[:-2]}},
        {"headers": {"x-csrftoken": "x"}},
        {"json": {"name": "x"}},
    ):
        assert administrator.post(path, **options).status_code == 403


def browser_page(client, path):
    return client.get(path).text


def test_the_token_of_another_browser_does_not_help(site, administrator):
    foreign = token_in(browser(site).get("/sign-in").text)
    assert administrator.post("/sign-out", data={"csrf": foreign}).status_code == 403


def test_a_large_form_is_refused(administrator):
    assert administrator.post("/account", data={"name": "x" * 70_000}).status_code == 413


@pytest.mark.parametrize("path", ["/series", "/sign-in", "/no-such-page", "/static/style.css"])
def test_every_answer_has_the_headers_that_guard_it(administrator, path):
    headers = administrator.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")


def test_no_page_needs_what_its_policy_forbids(administrator):
    for path in ("/series", f"/series/{cases_by_name()['degraded'].address}", "/destinations", "/system", "/users"):
        page = administrator.get(path).text
        assert "style=" not in page
        assert " onclick" not in page
        assert page.count("<script") == page.count('<script src="/static/')


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8112", 303),
        ("[::1]:8112", 303),
        ("localhost", 303),
        ("qsm.example:8112", 303),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("", 400),
    ],
)
def test_only_names_of_this_machine_are_answered(site, host, status):
    named = site.model_copy(update={"console": Console(hosts=("QSM.example",))})
    client = browser(named, follow_redirects=False)
    assert client.get("/series", headers={"host": host}).status_code == status


def test_cookies_are_bound_to_tls_where_there_is_tls(site, tmp_path):
    console = Console(certificate=tmp_path / "c.pem", key=tmp_path / "k.pem")
    add_user(site, "viewer", "viewer")
    client = browser(site.model_copy(update={"console": console}), base_url="https://127.0.0.1:8112")
    answer = client.get("/sign-in")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-qsm-token=")
    assert "Secure" in cookie
    assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2f..%2faccounts.py",
        "/static/%2e%2e/%2e%2e/console/app.py",
        "/static//etc/passwd",
        "/series/../../etc/passwd",
        "/series/..%2f..%2f..%2fetc%2fpasswd",
        "/series/%00",
    ],
)
def test_no_address_leads_out_of_the_console(administrator, path):
    answer = administrator.get(path)
    assert answer.status_code in (400, 404)
    assert "root:" not in answer.text
    assert "import" not in answer.text
