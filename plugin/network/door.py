"""The door: which connections become associations, and what a peer may cost before it has asked for one.

A connection is accepted, and closed again at once if its address is not welcome or has too many. A thread of its own
then shakes hands (TLS) and reads the A-ASSOCIATE-RQ: 64 KiB and 10 s for all of it. Only then does pynetdicom make an
association of it, whose two threads look for work many times a second.
"""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from plugin.config.network_settings import plain_address
from plugin.errors import PluginError
from plugin.log import describe, get_logger
from plugin.network.pynetdicom_patches import give_back

REQUEST_BYTES: Final = 65536
REQUEST_SECONDS: Final = 10.0
"""What a peer has until its A-ASSOCIATE-RQ is here, the TLS handshake included."""

_MOST_WAITING: Final = 128
"""Connections without an association, of all addresses; each has a thread."""

_BACKLOG: Final = 128
_REPEATED_SECONDS: Final = 10.0
"""How often the same is said of an address."""

_COLLECT_SECONDS: Final = 30.0
_ASSOCIATE_RQ, _TLS_HANDSHAKE = 0x01, 0x16


class _RefusedError(PluginError):
    """A connection does not become an association."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Who is let in: by address, how many connections of one address, and with which TLS context, if any."""

    admits: Callable[[str], bool]
    per_address: int
    tls_context: Callable[[], ssl.SSLContext] | None = None
    refused: Callable[[str, str, bool], None] = lambda _reason, _address, _repeated: None
    """Told of each connection that was closed: why, whose, and whether the same was said a moment ago."""


@dataclass(eq=False)
class _Connection:
    address: str
    socket: socket.socket
    since: float = field(default_factory=time.monotonic)
    is_waiting: bool = True

    @property
    def is_closed(self) -> bool:
        return self.socket.fileno() < 0


class _Handler(RequestHandler):  # type: ignore[misc]  # the library has no types
    """Makes an association of a connection whose A-ASSOCIATE-RQ was read."""

    server: Door

    def _create_association(self) -> Association:
        association = super()._create_association()
        give_back(association, self.server.reading.request)
        return association


class Door(ThreadedAssociationServer):  # type: ignore[misc]  # the library has no types
    """An association server with a policy."""

    daemon_threads = True
    request_queue_size = _BACKLOG

    def __init__(self, ae: AE, address: Any, ae_title: str, contexts: Any, *_: Any, **named: Any) -> None:  # noqa: ANN401
        self._policy: Policy = named.pop("policy")
        self._repeat: Callable[[], None] = named.pop("repeat")
        self._connections: list[_Connection] = []
        self._changing = threading.Lock()
        self.reading = threading.local()
        """In the thread of a connection: its A-ASSOCIATE-RQ."""
        self._said: dict[tuple[str, str], float] = {}
        self._collected_at = time.monotonic()
        super().__init__(ae, address, ae_title, contexts, request_handler=_Handler, **named)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; an IPv4 peer of an IPv6 socket has its IPv4 address."""
        accepted, address = self.socket.accept()
        plain = plain_address(address[0])
        return accepted, (plain, address[1]) if "." in plain else address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401 - socketserver's types
        """Say whether a connection may stay; nothing was read from it."""
        address = str(client_address[0])
        if not self._policy.admits(address):
            self._say("its address is not in allowed_callers", address)
            return False
        with self._changing:
            self._forget_closed()
            mine = [one for one in self._connections if one.address == address]
            waiting = [one for one in self._connections if one.is_waiting]
            crowd = mine if len(mine) >= self._policy.per_address else []
            if not crowd and len(waiting) >= _MOST_WAITING:
                (busiest, _), *_rest = Counter(one.address for one in waiting).most_common(1)
                crowd = [one for one in waiting if one.address == busiest]
            if crowd:
                oldest = next((one for one in crowd if one.is_waiting), None)  # they are in the order of their coming
                if oldest is None:
                    self._say("too many connections from this address", address)
                    return False
                self._say("too many connections that ask for no association", oldest.address)
                self._connections.remove(oldest)
                hang_up(oldest.socket)
            self._connections.append(_Connection(address, request))
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's types
        """Shake hands, read the A-ASSOCIATE-RQ, and make an association."""
        connection = next((one for one in list(self._connections) if one.socket is request), None)
        if connection is None:  # it had to make room
            self.shutdown_request(request)
            return
        try:
            self.reading.request = self._read_request(connection)
            self.finish_request(connection.socket, client_address)
        except Exception as error:
            late = time.monotonic() - connection.since >= REQUEST_SECONDS
            reason = f"no association request within {REQUEST_SECONDS:.0f} s" if late else _reason(error)
            self._say(reason, connection.address)
            self.shutdown_request(connection.socket)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - socketserver's types
        """Close a connection without waiting for the peer."""
        self.close_request(request)

    def service_actions(self) -> None:
        """Hang up on whoever took too long; collect associations that ended, which hold each other."""
        now = time.monotonic()
        self._repeat()
        with self._changing:
            self._forget_closed()
            overdue = [one for one in self._connections if one.is_waiting and now - one.since > REQUEST_SECONDS]
            for connection in overdue:
                hang_up(connection.socket)
        if now - self._collected_at > _COLLECT_SECONDS:
            gc.collect()
            self._collected_at = now

    def shutdown(self) -> None:
        """Stop listening, and hang up on whoever waits."""
        super().shutdown()
        for connection in list(self._connections):
            if connection.is_waiting:
                hang_up(connection.socket)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's types
        """Say that a connection could not be served; the library prints the traceback."""
        self._say("it could not be served", str(client_address[0]))

    def _read_request(self, connection: _Connection) -> bytes:
        deadline = connection.since + REQUEST_SECONDS
        if self._policy.tls_context is not None:
            self._shake_hands(connection, self._policy.tls_context())
        head = _exactly(connection.socket, 6, deadline)
        kind, length = struct.unpack(">BxL", head)
        if kind != _ASSOCIATE_RQ:
            speaks = "TLS, and the service does not" if kind == _TLS_HANDSHAKE else "something other than DICOM"
            raise _RefusedError(f"the peer speaks {speaks}")
        if length > REQUEST_BYTES:
            raise _RefusedError(f"an association request of more than {REQUEST_BYTES} bytes")
        request = head + _exactly(connection.socket, length, deadline)
        connection.is_waiting = False
        return request

    def _shake_hands(self, connection: _Connection, context: ssl.SSLContext) -> None:
        """Shake hands; ``service_actions`` hangs up on a peer that does so too slowly."""
        connection.socket.settimeout(REQUEST_SECONDS)
        with self._changing:  # for a moment the old socket is closed, which must not be seen
            wrapped = context.wrap_socket(connection.socket, server_side=True, do_handshake_on_connect=False)
            connection.socket = wrapped
        wrapped.do_handshake()

    def _forget_closed(self) -> None:
        self._connections = [one for one in self._connections if not one.is_closed]

    def _say(self, reason: str, address: str) -> None:
        """Log why a connection was closed, but not the same again and again."""
        now = time.monotonic()
        repeated = now - self._said.get((reason, address), -_REPEATED_SECONDS) < _REPEATED_SECONDS
        self._policy.refused(reason, address, repeated)
        if not repeated:
            if len(self._said) > 1000:
                self._said.clear()
            self._said[reason, address] = now
            get_logger().warning("connection.closed", address=address, reason=reason)


def open_door(
    ae: AE, address: tuple[str, int], policy: Policy, handlers: Sequence[Any], repeat: Callable[[], None]
) -> Door:
    """Listen, and serve in a thread; ``shutdown()`` ends it. ``repeat`` is called about twice a second.

    Raises
    ------
    OSError
        The address cannot be listened on.
    """
    door = ae.make_server(address, evt_handlers=list(handlers), server_class=Door, policy=policy, repeat=repeat)
    assert isinstance(door, Door)
    ae._servers.append(door)  # as AE.start_server does; ``shutdown`` removes it
    threading.Thread(target=door.serve_forever, name="door", daemon=True).start()
    return door


def hang_up(connected: socket.socket) -> None:
    """End a connection; the thread that reads from it closes it."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # not TLS's own, which another thread may be using


def _exactly(connected: socket.socket, count: int, deadline: float) -> bytes:
    """Read so many bytes before the deadline."""
    read = bytearray()
    while len(read) < count:
        connected.settimeout(max(0.001, deadline - time.monotonic()))
        piece = connected.recv(count - len(read))
        if not piece:
            raise _RefusedError("it ended before it asked for an association")
        read += piece
    return bytes(read)


def _reason(error: Exception) -> str:
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: its certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'handshake failed').replace('_', ' ').lower()}"
    if isinstance(error, OSError):
        return "it ended before it asked for an association"
    return "unexpected {error} at {where}".format(**describe(error))
