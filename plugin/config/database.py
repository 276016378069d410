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
    given = parse_qsl(query, keep_blank_values=True)  # a name may be repeated: one host after the other
    names = {name for name, _ in given}
    missing = [(name, value) for name, value in CONNECTING.items() if name not in names]
    kept = [(name, value) for name, value in given if name != "options"]
    options = " ".join([SERVER_OPTIONS, *(value for name, value in given if name == "options" and value)])
    return f"{base}?{urlencode([*missing, *kept, ('options', options)], quote_via=quote)}"
