"""What guards every page: headers for the browser, the name it was called by, and tokens against forged forms."""

from __future__ import annotations

import socket
from collections.abc import Collection
from http.cookies import SimpleCookie
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs

from itsdangerous import BadSignature
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_csrf.middleware import CSRFMiddleware

from plugin.config.service_settings import Console

CSRF_FIELD: Final = "csrf"
"""Field of every form; htmx sends it in the header ``x-csrftoken``."""

_LARGEST_FORM_BYTES: Final = 65_536

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Headers:
    """Adds security headers; pages are kept in no cache, since others may use the browser after a user has left."""

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self._app = app
        self._headers = {**_HEADERS, **({"Strict-Transport-Security": "max-age=31536000"} if tls else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                kept = str(scope.get("path", "")).startswith("/static/")
                headers.setdefault("Cache-Control", "no-cache" if kept else "no-store")
            await send(message)

        await self._app(scope, receive, add)


class Names:
    """Turns requests away that call this machine by a name that is not its own: a foreign page may be behind them.

    A name that an attacker owns can be made to point here (DNS rebinding); an IP address cannot.
    """

    def __init__(self, app: ASGIApp, *, names: Collection[str]) -> None:
        self._app = app
        self._names = {"localhost", *names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http":
            host = Request(scope).headers.get("host", "")
            name = host[1:].partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host
            if not (name.lower() in self._names or _is_address(name)):
                text = "This name is not one of the console's; add it to hosts under [console].\n"
                await PlainTextResponse(text, status_code=400)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def own_names(console: Console) -> set[str]:
    """Return the names under which browsers may call this machine."""
    machine = socket.gethostname().lower()
    return {machine, machine.partition(".")[0], *(name.lower() for name in console.hosts)}


def empties_cache(request: Request) -> bool:
    """Say whether a browser empties its cache when it is told to at sign-out.

    It does so for an origin that it trusts: one with TLS, or this machine itself, as through ``ssh -L``.
    """
    name = request.url.hostname or ""
    return request.url.scheme == "https" or name == "localhost" or (_is_address(name) and ip_address(name).is_loopback)


class FormToken(CSRFMiddleware):
    """Takes the token from a field of the form too, so that forms work without JavaScript.

    A form may have 64 KiB. The page's token is at ``scope["csrf"]``.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http":
            request = Request(scope, receive)
            cookie = request.cookies.get(self.cookie_name)
            scope["csrf"] = cookie if self._is_ours(cookie) else self._generate_csrf_token()
            scope["csrf_is_new"] = scope["csrf"] != cookie
            if request.method not in self.safe_methods:
                body = await _body(request)
                if body is None:
                    await PlainTextResponse("This form is too large.\n", status_code=413)(scope, receive, send)
                    return
                scope["form"] = body
                receive = _given(body, receive)
        await super().__call__(scope, receive, send)

    async def send(self, message: Message, send: Send, scope: Scope) -> None:
        """Send a message of the answer, with the cookie where the browser has none."""
        if message["type"] == "http.response.start" and scope["csrf_is_new"]:
            cookie = SimpleCookie({self.cookie_name: scope["csrf"]})
            flags = {"path": "/", "secure": self.cookie_secure, "httponly": True, "samesite": self.cookie_samesite}
            for name, value in flags.items():
                cookie[self.cookie_name][name] = value
            MutableHeaders(scope=message).append("set-cookie", cookie.output(header="").strip())
        await send(message)

    async def _get_submitted_csrf_token(self, request: Request) -> str | None:
        if (header := request.headers.get(self.header_name)) is not None:
            return header
        fields = parse_qs(request.scope["form"].decode("utf-8", "replace"))
        return next(iter(fields.get(CSRF_FIELD, ())), None)

    def _get_error_response(self, request: Request) -> PlainTextResponse:
        text = "This form is too old, or was not sent from a page of the console. Load the page again and repeat it.\n"
        return PlainTextResponse(text, status_code=403)

    def _is_ours(self, token: str | None) -> bool:
        try:
            return token is not None and bool(self.serializer.loads(token))
        except BadSignature:
            return False


async def _body(request: Request) -> bytes | None:
    """Return the body of a request; None for one that is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM_BYTES:
            return None
    return body


def _given(body: bytes, receive: Receive) -> Receive:
    """Return what receives a body that was read already."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
