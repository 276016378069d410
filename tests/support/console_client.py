"""A browser's view of the console, without a server: pages are asked for, and forms are sent with their tokens."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient

from plugin.config.settings import Settings
from plugin.service.console.accounts import Accounts
from plugin.service.console.app import create_app

PASSWORD = "correct horse battery"


def browser(settings: Settings, **options: object) -> TestClient:
    """Open a browser that nobody has signed in with."""
    options = {"base_url": "http://127.0.0.1:8112", "client": ("10.0.0.9", 50_000), **options}
    return TestClient(create_app(settings), **options)


def token_in(page: str) -> str:
    """Return the token of a page's forms."""
    return re.search('name="csrf" value="([^"]+)"', page)[1]


def submit(client: TestClient, path: str, *, page: str | None = None, **values: str):
    """Send a form of a page."""
    return client.post(path, data={**values, "csrf": token_in(client.get(page or path).text)})


def add_user(settings: Settings, name: str, role: str) -> None:
    """Add a user; the first one is made with the token."""
    accounts = Accounts(settings.spool)
    if accounts.offer_token():
        accounts.redeem(accounts.token_file.read_text(), "root", PASSWORD)
    if name not in accounts.users():
        accounts.add(name, role, PASSWORD)


def signed_in(settings: Settings, role: str, **options: object) -> TestClient:
    """Open a browser with a user of a role, called like it, signed in."""
    add_user(settings, role, role)
    client = browser(settings, **options)
    assert submit(client, "/sign-in", name=role, password=PASSWORD, next="/account").status_code == 200
    return client
