import json

import pytest

from plugin.log import RECENT_FILE, configure, get_logger
from plugin.service.selftest import REQUEST_FILE
from tests.support.certificates import issue, make_authority
from tests.support.console_client import signed_in, submit
from tests.support.console_site import DEAD
from tests.support.loopback import free_port, pacs


def test_destinations_show_what_waits_and_what_was_given_up(viewer):
    page = viewer.get("/destinations").text
    for text in ("PACS@127.0.0.1:1", "viewer does not answer", "not asked yet"):
        assert text in page
    assert "Echo</button>" not in page


def test_an_operator_asks_a_destination(site, operator, viewer):
    assert submit(viewer, "/destinations/echo", page="/destinations", name="pacs").status_code == 403
    assert submit(operator, "/destinations/echo", page="/destinations", name="nobody").status_code == 404
    page = submit(operator, "/destinations/echo", page="/destinations", name="pacs").text
    assert "silent" in page
    port = free_port()
    there = site.destinations[0].model_copy(update={"port": port})
    with pacs(port):
        near = signed_in(site.model_copy(update={"destinations": (there, site.destinations[1])}), "operator")
        page = submit(near, "/destinations/echo", page="/destinations", name="pacs").text
    assert "answered in" in page
    assert "answers" in page


def test_the_system_shows_what_the_service_runs_on(viewer):
    page = viewer.get("/system").text
    for text in ("deliverer", "openvino", "the sphere measures 843 ppb", "free of", "quiet_seconds", "[retention]"):
        assert text in page
    assert "not encrypted" in page


def test_passwords_of_the_configuration_are_not_shown(site, tmp_path):
    folder = tmp_path / "local"
    folder.mkdir()
    secret = "postgresql://qsm:hunter2@db/qsm"
    settings = site.model_copy(update={"database_url": secret, "local_folder": folder})
    from plugin.service.console.system import _configuration

    shown = json.dumps(_configuration(settings))
    assert "hunter2" not in shown
    assert "(not shown)" in shown


def test_certificates_are_shown_with_their_end(site, tmp_path):
    tls = issue(make_authority(tmp_path, "authority"), "us")
    page = signed_in(site.model_copy(update={"tls": tls}), "viewer").get("/system").text
    assert str(tls.certificate) in page
    assert "in 90 d" in page or "in 89 d" in page


def test_an_operator_starts_the_self_test(site, operator, viewer):
    assert submit(viewer, "/system/self-test", page="/system").status_code == 403
    page = submit(operator, "/system/self-test", page="/system").text
    assert "begins within seconds" in page
    assert (site.spool / REQUEST_FILE).exists()
    (site.spool / REQUEST_FILE).unlink()


@pytest.fixture
def logged(site):
    configure(site.log, process="deliverer", recent_in=site.spool)
    get_logger().info("step.done", job="0123-4", seconds=1.5, patient="Doe^Jane")
    get_logger().error("delivery.failed", destination="viewer", reason=DEAD)
    yield
    configure(site.log, process="test")
    (site.spool / RECENT_FILE).unlink()


def test_the_log_is_live_and_names_nobody(viewer, logged):
    page = viewer.get("/log").text
    assert "step.done" in page
    assert DEAD in page
    assert page.index("delivery.failed") < page.index("step.done")
    assert "Doe" not in page
    errors = viewer.get("/log?level=error").text
    assert "delivery.failed" in errors
    assert "step.done" not in errors
    assert "delivery.failed" not in viewer.get("/log?q=0123-4").text


def test_pages_work_without_javascript(operator):
    for path in ("/series", "/destinations", "/system", "/log"):
        page = operator.get(path).text
        assert "<table" in page
        for form in page.split("<form")[1:]:
            method = "post" if 'method="post"' in form else "get"
            assert 'action="/' in form
            assert ("csrf" in form.split("</form>")[0]) is (method == "post")
