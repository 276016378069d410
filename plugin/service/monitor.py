"""The monitor: serves metrics and health, keeps house in the spool, sends the audit trail, and runs the self-test."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from plugin.config.settings import Settings
from plugin.log import describe, get_logger
from plugin.service.audit_trail import send_audit_trail
from plugin.service.health import why_dead, why_not_ready
from plugin.service.metrics import ServiceCollector
from plugin.service.retention import Keeper
from plugin.service.selftest import REQUEST_FILE, run_self_test, sweep

_POLL_SECONDS = 2.0
_FIRST_KEEPING_SECONDS = 60.0
_KEEPING_SECONDS = 300.0
_KEEPING_WHEN_FULL_SECONDS = 30.0
_FIRST_SELF_TEST_SECONDS = 15.0
"""After the start: the other processes have begun to listen by then."""


class Monitor:
    """What is done every now and then, by the monotonic clock."""

    def __init__(self, settings: Settings) -> None:
        now = time.monotonic()
        self._settings = settings
        self._keeper = Keeper(settings)
        self._keep_at = now + _FIRST_KEEPING_SECONDS
        test = settings.self_test
        self._test_at = now + (_FIRST_SELF_TEST_SECONDS if test.at_start else 3600 * test.every_hours)
        sweep(settings.spool)

    def run(self, stopping: threading.Event) -> None:
        """Repeat rounds until told to stop."""
        while not stopping.wait(_POLL_SECONDS):
            try:
                self.round(stopping)
            except Exception as error:  # a full disk, a database that is away: the next round may find it better
                get_logger().error("monitor.failed", **describe(error))

    def round(self, stopping: threading.Event) -> None:
        """Do what is due."""
        now, request = time.monotonic(), self._settings.spool / REQUEST_FILE
        send_audit_trail(self._settings)
        early = now >= self._keep_at - _KEEPING_SECONDS + _KEEPING_WHEN_FULL_SECONDS
        if now >= self._keep_at or (early and self._keeper.is_full()):
            self._keep_at = now + _KEEPING_SECONDS
            self._keeper.keep_house()
        if now >= self._test_at or request.exists():
            self._test_at = now + 3600 * self._settings.self_test.every_hours
            request.unlink(missing_ok=True)
            self._keeper.remove(run_self_test(self._settings, stopping).study)


@contextmanager
def served(settings: Settings) -> Iterator[int | None]:
    """Serve metrics and health during the block, where a port is given; yield it."""
    wanted = settings.monitoring
    if wanted.port is None:
        yield None
        return
    try:
        server = ThreadingHTTPServer((wanted.bind, wanted.port), _handler(settings))
    except OSError as error:
        reason = f"metrics and health are not served: {error.strerror}; choose another port under [monitoring]"
        get_logger().error("monitor.not_listening", bind=wanted.bind, port=wanted.port, reason=reason)
        yield None
        return
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    get_logger().info("monitor.listening", bind=wanted.bind, port=wanted.port)
    try:
        yield wanted.port
    finally:
        server.shutdown()
        server.server_close()


def _handler(settings: Settings) -> type[BaseHTTPRequestHandler]:
    registry = CollectorRegistry()
    registry.register(ServiceCollector(settings))
    checks = {"/healthz": why_dead, "/readyz": why_not_ready}

    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0

        def do_GET(self) -> None:
            try:
                if self.path == "/metrics":
                    self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
                elif check := checks.get(self.path):
                    reasons = check(settings)
                    content = json.dumps({"ok": not reasons, "reasons": reasons}).encode() + b"\n"
                    self._answer(503 if reasons else 200, content, "application/json")
                else:
                    self._answer(404, b"", "text/plain")
            except Exception as error:  # a scrape that fails must not end the server
                get_logger().error("monitor.failed", **describe(error))
                self._answer(500, b"", "text/plain")

        def _answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log no request."""

    return Handler
