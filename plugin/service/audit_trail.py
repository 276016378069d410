"""The audit trail: messages leave the spool, the oldest first, when the file or the collector has them."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from io import RawIOBase

from plugin.audit import AUDIT_FOLDER
from plugin.config.service_settings import Audit
from plugin.config.settings import Settings
from plugin.log import get_logger

_AUTHPRIV_NOTICE = 10 * 8 + 5
_MESSAGE_KIND = "DICOM+RFC3881"
_TIMEOUT_SECONDS = 10.0
_AT_A_TIME = 500


def send_audit_trail(settings: Settings) -> int:
    """Send what waits, and return how many messages were sent; what cannot be sent waits for the next time."""
    waiting = sorted((settings.host_folder / AUDIT_FOLDER).glob("[0-9]*.xml"))[:_AT_A_TIME]
    sent = 0
    if waiting:
        try:
            with _open(settings) as send:
                for path in waiting:
                    send(path.read_bytes())
                    path.unlink()
                    sent += 1
        except OSError as error:  # also what the TLS library raises
            why = error.strerror or type(error).__name__
            get_logger().warning("audit.waits", reason=f"{why}; {len(waiting) - sent} audit messages wait in the spool")
    return sent


def syslog_frame(message: bytes) -> bytes:
    """Wrap a message for syslog (RFC 5424), with its length before it (RFC 5425)."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f"<{_AUTHPRIV_NOTICE}>1 {now} {socket.gethostname()} qsm-plugin {os.getpid()} {_MESSAGE_KIND} - "
    line = head.encode() + b"\xef\xbb\xbf" + message
    return str(len(line)).encode() + b" " + line


@contextmanager
def _open(settings: Settings) -> Iterator[Callable[[bytes], object]]:
    """Yield what takes a message."""
    if settings.audit.to == "file":
        with (settings.spool / settings.audit.file).open("ab", buffering=0) as file:
            yield partial(_append, file)
        return
    with _connected(settings.audit) as collector:
        yield lambda message: collector.sendall(syslog_frame(message))


def _append(file: RawIOBase, message: bytes) -> None:
    file.write(message + b"\n")
    os.fsync(file.fileno())


@contextmanager
def _connected(audit: Audit) -> Iterator[ssl.SSLSocket]:
    """Connect to the collector; at the end wait until it has read everything, which syslog does not acknowledge."""
    context = ssl.create_default_context(cafile=audit.authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if audit.certificate is not None:
        context.load_cert_chain(audit.certificate, audit.key)
    with (
        socket.create_connection((audit.host, audit.port), timeout=_TIMEOUT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=audit.host) as collector,
    ):
        yield collector
        collector.unwrap()
