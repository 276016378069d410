"""TLS 1.2 and 1.3 with the certificates of both sides (PS3.15 B.12, BCP 195)."""

from __future__ import annotations

import ssl
import threading
import time
from pathlib import Path
from typing import Final

from plugin.config.network_settings import Tls
from plugin.errors import ConfigurationError
from plugin.log import get_logger

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Cipher suites of TLS 1.2 that RFC 9325 recommends; those of TLS 1.3 are all of this kind."""

_SOON_SECONDS: Final = 30 * 86400.0
_REPEATED_SECONDS: Final = 86400.0
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class ListeningContext:
    """The context of our port; read again when its files change, and kept as it was while they cannot be used.

    Raises
    ------
    ConfigurationError
        The files cannot be used.
    """

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._changing = threading.Lock()
        self._read_at = self._state()
        self._context = _context(tls, ssl.PROTOCOL_TLS_SERVER)
        self._said_at = time.monotonic()
        say_when_it_ends(tls)

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection."""
        with self._changing:
            if (state := self._state()) != self._read_at:
                self._read_at = state
                self._read_again()
            elif time.monotonic() - self._said_at > _REPEATED_SECONDS:
                self._said_at = time.monotonic()
                say_when_it_ends(self._tls)
            return self._context

    def _read_again(self) -> None:
        try:
            self._context = _context(self._tls, ssl.PROTOCOL_TLS_SERVER)
            say_when_it_ends(self._tls)
        except ConfigurationError as error:
            get_logger().error("tls.not_reloaded", reason=f"{error}; the certificate of before stays in use")

    def _state(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(file_identity(path) for _, path in self._tls)


def calling_context(tls: Tls, host: str) -> ssl.SSLContext:
    """Make the context of a connection to a peer, whose certificate must name the host, unless that is this machine.

    Raises
    ------
    ConfigurationError
        The files cannot be used.
    """
    context = _context(tls, ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = host not in _THIS_MACHINE
    return context


def serving_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Make the context of a page that browsers open, which have no certificate of their own.

    Raises
    ------
    ConfigurationError
        The files cannot be used.
    """
    context = _plain_context(ssl.PROTOCOL_TLS_SERVER)
    load_certificate(context, certificate, key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Load our certificate into a context, whose later connections use it; errors as of ``serving_context``."""
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"tls: {certificate} and {key}: {_why(error)}") from error


def certificate_ends_at(certificate: Path) -> float:
    """Return when a certificate ends, in seconds since the epoch."""
    decoded = ssl._ssl._test_decode_cert(str(certificate))  # type: ignore[attr-defined]  # the library has no other
    return float(ssl.cert_time_to_seconds(decoded["notAfter"]))


def say_when_it_ends(tls: Tls) -> None:
    """Log when our certificate ends: as a warning in the last 30 days, as an error after its end."""
    ends_at = certificate_ends_at(tls.certificate)
    left = ends_at - time.time()
    day = time.strftime("%Y-%m-%d", time.gmtime(ends_at))
    if left <= 0:
        get_logger().error("tls.certificate", reason=f"our certificate ended on {day}; peers reject it, renew it now")
    elif left < _SOON_SECONDS:
        get_logger().warning("tls.certificate", reason=f"our certificate ends on {day}; renew it")
    else:
        get_logger().info("tls.certificate", reason=f"our certificate ends on {day}")


def _plain_context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _context(tls: Tls, protocol: int) -> ssl.SSLContext:
    context = _plain_context(protocol)
    context.verify_mode = ssl.CERT_REQUIRED
    load_certificate(context, tls.certificate, tls.key)
    try:
        context.load_verify_locations(tls.authorities)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"tls: {tls.authorities}: {_why(error)}") from error
    return context


def _no_password() -> str:
    """Refuse a key with a password, where the library would ask for it on the terminal."""
    raise ValueError("the key has a password; store it without one, readable by the service's user alone")


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "unreadable").replace("_", " ").lower()
        return f"not a certificate and its key in PEM format ({reason})"
    return error.strerror or "cannot be read" if isinstance(error, OSError) else str(error)


def file_identity(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file does; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
