"""How PostgreSQL is connected to: each side notices within half a minute when the other vanished without a word.

A server that does not notice keeps what a host without power or network has claimed, by default for two hours.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

CONNECTING: Final = {
    "connect_timeout": "2",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""Parameters of a connection, for this side of it."""

SERVER_OPTIONS: Final = (
    "-ctcp_keepalives_idle=10 -ctcp_keepalives_interval=5 -ctcp_keepalives_count=3 -ctcp_user_timeout=10000"
)
"""The same for the server's side."""


def with_connecting(url: str) -> str:
    """Add the parameters to the URL of a database; those that it has are kept."""
    base, _, query = url.partition("?")
    given = dict(parse_qsl(query))
    options = f"{SERVER_OPTIONS} {given.get('options', '')}".strip()
    return f"{base}?{urlencode({**CONNECTING, **given, 'options': options}, quote_via=quote)}"
