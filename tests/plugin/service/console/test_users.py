import pytest

from plugin.config.settings import Settings
from plugin.service.console.accounts import Accounts
from tests.support.console_client import PASSWORD, browser, signed_in, submit


@pytest.fixture
def settings(tmp_path):
    return Settings(spool=tmp_path)


def test_an_administrator_adds_changes_and_removes_users(settings):
    administrator, accounts = signed_in(settings, "administrator"), Accounts(settings.spool)
    assert (
        "added as viewer"
        in submit(administrator, "/users/add", page="/users", name="eve", role="viewer", password=PASSWORD).text
    )
    eve = browser(settings, follow_redirects=False)
    submit(eve, "/sign-in", name="eve", password=PASSWORD)
    assert eve.get("/log").status_code == 200
    submit(administrator, "/users/role", page="/users", name="eve", role="operator")
    assert accounts.users()["eve"].role == "operator"
    assert eve.get("/log").status_code == 303  # the session ended with the role
    submit(administrator, "/users/password", page="/users", name="eve", password=PASSWORD + "2")
    assert accounts.sign_in("eve", PASSWORD) is None
    submit(administrator, "/users/remove", page="/users", name="eve")
    assert set(accounts.users()) == {"root", "administrator"}
    assert "no user eve" in submit(administrator, "/users/remove", page="/users", name="eve").text


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/users/add", {"name": "x", "role": "administrator", "password": PASSWORD}),
        ("/users/role", {"name": "operator", "role": "administrator"}),
        ("/users/password", {"name": "root", "password": PASSWORD + "2"}),
        ("/users/remove", {"name": "root"}),
    ],
)
def test_nobody_else_changes_users(site, operator, path, values):
    before = dict(Accounts(site.spool).users())
    assert submit(operator, path, page="/log", **values).status_code == 403
    assert operator.get("/users").status_code == 403
    assert dict(Accounts(site.spool).users()) == before


def test_a_role_that_is_not_one_is_refused(administrator):
    values = {"name": "x", "role": "god", "password": PASSWORD}
    assert submit(administrator, "/users/add", page="/users", **values).status_code == 400


def test_users_change_their_own_password(settings):
    viewer = signed_in(settings, "viewer")
    new = {"password": PASSWORD + "2", "again": PASSWORD + "2"}
    assert submit(viewer, "/account", old="wrong", **new).status_code == 400
    assert submit(viewer, "/account", old=PASSWORD, **{**new, "again": "x"}).status_code == 400
    assert "is changed" in submit(viewer, "/account", old=PASSWORD, **new).text
    assert viewer.get("/account").status_code == 200
