"""The operator console without a network: an application, and a browser that is signed in to it."""

from __future__ import annotations

import json
import re
import warnings

from plugin.config.settings import Settings
from plugin.service.console.accounts import Accounts
from plugin.service.console.app import create_app

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient` is deprecated")
    from starlette.testclient import TestClient

PASSWORD = "correct horse battery"


def stranger(settings: Settings) -> TestClient:
    """Make a browser that nobody has signed in with."""
    return TestClient(create_app(settings), base_url="http://127.0.0.1", follow_redirects=False)


def administrator(settings: Settings) -> TestClient:
    """Make a browser that the first administrator has signed in with."""
    accounts, client = Accounts(settings.spool), stranger(settings)
    accounts.offer_token()
    field = re.search(r'name="csrf" value="([^"]+)"', client.get("/first-administrator").text)
    assert field is not None
    values = {"token": json.loads(accounts.token_file.read_text()), "name": "ada", "password": PASSWORD}
    sent = client.post("/first-administrator", data={"csrf": field.group(1), "again": PASSWORD, **values})
    assert sent.status_code == 303
    return client
