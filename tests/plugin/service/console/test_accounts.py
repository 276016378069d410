import os
import stat

import pytest

from plugin.errors import SpoolError
from plugin.service.console.accounts import AccountError, Accounts
from tests.support.console_client import PASSWORD


@pytest.fixture
def accounts(tmp_path):
    found = Accounts(tmp_path)
    assert found.offer_token()
    return found


@pytest.fixture
def with_root(accounts):
    accounts.redeem(accounts.token_file.read_text(), "root", PASSWORD)
    return accounts


def test_the_token_works_once(accounts):
    token = accounts.token_file.read_text()
    with pytest.raises(AccountError, match="token"):
        accounts.redeem("guessed", "root", PASSWORD)
    assert accounts.redeem(token, "root", PASSWORD).role == "administrator"
    assert not accounts.token_file.exists()
    with pytest.raises(AccountError, match="token"):
        accounts.redeem(token, "other", PASSWORD)
    assert not accounts.offer_token()
    assert list(accounts.users()) == ["root"]


def test_the_token_of_an_earlier_start_stays_valid(accounts):
    token = accounts.token_file.read_text()
    assert accounts.offer_token()
    assert accounts.token_file.read_text() == token


def test_only_the_user_of_the_service_reads_the_files(with_root):
    with_root.secret()
    folder = with_root.token_file.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert PASSWORD not in "".join(path.read_text() for path in folder.iterdir())


def test_a_password_is_right_or_wrong(with_root):
    assert with_root.sign_in("root", PASSWORD).name == "root"
    assert with_root.sign_in("root", PASSWORD + "x") is None
    assert with_root.sign_in("nobody", PASSWORD) is None
    assert with_root.sign_in("root", "x" * 10_000) is None


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [
        ("", PASSWORD, "letters"),
        ("a b", PASSWORD, "letters"),
        ("../x", PASSWORD, "letters"),
        ("a" * 65, PASSWORD, "letters"),
        ("eve", "short", "12 characters"),
        ("evelyne.long", "my EVELYNE.LONG pw", "name"),
        ("root", PASSWORD, "already"),
    ],
)
def test_a_user_that_cannot_be_made_is_refused_with_the_reason(with_root, name, password, words):
    with pytest.raises(AccountError, match=words):
        with_root.add(name, "viewer", password)
    assert list(with_root.users()) == ["root"]


def test_one_administrator_stays(with_root):
    for change in (lambda: with_root.remove("root"), lambda: with_root.set_role("root", "viewer")):
        with pytest.raises(AccountError, match="administrator"):
            change()
    with_root.add("eve", "administrator", PASSWORD)
    with_root.remove("root")
    assert list(with_root.users()) == ["eve"]


def test_role_and_password_end_the_sessions_before(with_root):
    with_root.add("eve", "viewer", PASSWORD)
    stamps = [with_root.users()["eve"].stamp]
    with_root.set_role("eve", "operator")
    stamps.append(with_root.users()["eve"].stamp)
    with_root.set_password("eve", PASSWORD + "2")
    assert [with_root.user("eve", stamp) for stamp in stamps] == [None, None]
    assert with_root.user("eve", with_root.users()["eve"].stamp).role == "operator"


def test_another_process_changes_users_too(with_root):
    other = Accounts(with_root.token_file.parent.parent)
    other.add("eve", "viewer", PASSWORD)
    assert list(with_root.users()) == ["root", "eve"]


def test_a_damaged_file_lets_nobody_in(with_root):
    path = with_root.token_file.with_name("users.json")
    path.write_text("[{")
    os.utime(path, (1, 1))
    with pytest.raises(SpoolError, match="users"):
        with_root.sign_in("root", PASSWORD)
    with pytest.raises(SpoolError, match="users"):  # and makes no token that would
        with_root.offer_token()
