"""The console's port: listened on as soon as it is free, with TLS where the site has a certificate.

Nothing that goes wrong here ends the service: what stands in the way is said in the log, and tried again.
"""

from __future__ import annotations

import socket
import ssl
import threading

import uvicorn

from plugin.config.service_settings import Console
from plugin.config.settings import Settings
from plugin.errors import PluginError, PortTakenError
from plugin.log import get_logger
from plugin.network.tls import file_identity, load_certificate, serving_context
from plugin.service.console.accounts import Accounts
from plugin.service.console.app import create_app

_AGAIN_SECONDS = 30.0
_CERTIFICATE_SECONDS = 60.0
_STOP_SECONDS = 2
_BACKLOG = 64
_AT_ONCE = 64
"""Requests that are worked on at a time; others are told to come again."""


def serve_console(settings: Settings, stopping: threading.Event) -> None:
    """Serve the console until told to stop."""
    while not stopping.is_set():
        try:
            listening, context = _listen(settings.console), _context(settings.console)
        except PluginError as error:
            console = settings.console
            reason = f"the console is not served, and the service goes on without it: {error}"
            get_logger().error("console.not_listening", bind=console.bind, port=console.port, reason=reason)
            stopping.wait(_AGAIN_SECONDS)
            continue
        with listening:
            _announce(settings)
            _serve(settings, listening, context, stopping)


def _listen(console: Console) -> socket.socket:
    """Listen on the console's port."""
    listening = socket.socket(socket.AF_INET6 if ":" in console.bind else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((console.bind, console.port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        reason = error.strerror or "the address cannot be used"
        raise PortTakenError(console.bind, console.port, reason) from error
    return listening


def _context(console: Console) -> ssl.SSLContext | None:
    if console.certificate is None or console.key is None:
        return None
    return serving_context(console.certificate, console.key)


def _announce(settings: Settings) -> None:
    """Say in the log where the console is, and how its first user is made."""
    get_logger().info("console.listening", address=settings.console.address)
    accounts = Accounts(settings.spool)
    if accounts.offer_token():
        reason = f"the console has no user yet: make the first administrator with the token in {accounts.token_file}"
        get_logger().warning("console.without_users", reason=reason)


def _serve(
    settings: Settings, listening: socket.socket, context: ssl.SSLContext | None, stopping: threading.Event
) -> None:
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        limit_concurrency=_AT_ONCE,
        timeout_graceful_shutdown=_STOP_SECONDS,
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="console")
    thread.start()
    known = _certificate_state(settings.console)
    while not stopping.wait(_CERTIFICATE_SECONDS) and thread.is_alive():
        if context is not None and (state := _certificate_state(settings.console)) != known:
            known = state
            _renew(settings.console, context)
    server.should_exit = True
    thread.join()


def _renew(console: Console, context: ssl.SSLContext) -> None:
    """Use a certificate that was renewed, for new connections."""
    assert console.certificate is not None
    assert console.key is not None
    try:
        load_certificate(context, console.certificate, console.key)
        get_logger().info("tls.certificate", reason="the console uses the new certificate")
    except PluginError as error:
        get_logger().error("tls.not_reloaded", reason=f"{error}; the console's certificate of before stays in use")


def _certificate_state(console: Console) -> list[tuple[int, int] | None]:
    return [file_identity(path) for path in (console.certificate, console.key) if path is not None]
