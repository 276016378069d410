"""What this product changes in pynetdicom, in one place, and how it builds application entities."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from dataclasses import dataclass
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from dicom_io.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from plugin.errors import ConfigurationError

TIMEOUT_S = 10.0
"""How long a peer may take to answer one message; a healthy one answers in milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """A DICOM peer: ``AET@HOST:PORT``."""

    ae_title: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read ``AET@HOST:PORT`` (an IPv6 host in square brackets).

    Raises
    ------
    ConfigurationError
        The text names no peer.
    """
    match = re.fullmatch(r"(?P<aet>[^@\\]{1,16})@(?P<host>\[[^\]]+\]|[^:\[\]]+):(?P<port>\d{1,5})", text.strip())
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigurationError(f"{text!r} is no DICOM address: expected AET@HOST:PORT, such as PACS@10.0.0.2:104")
    return Address(ae_title=match["aet"], host=match["host"].strip("[]"), port=int(match["port"]))


def new_ae(ae_title: str) -> AE:
    """Build an application entity with unlimited PDUs and this product's time-outs."""
    _prepare_library()
    ae = AE(ae_title=ae_title)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_pdu_size = 0
    ae.acse_timeout = TIMEOUT_S
    ae.dimse_timeout = TIMEOUT_S
    ae.connection_timeout = TIMEOUT_S
    return ae


def send_without_delay(event: evt.Event) -> None:
    """Handle ``EVT_CONN_OPEN``: switch Nagle's algorithm off.

    With it on, a message's last short segment waits for the peer's delayed acknowledgement: 40 ms.
    """
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _prepare_library() -> None:
    """Set pynetdicom's module flags: accept private SOP classes, and say nothing (its log dumps requests)."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    if not isinstance(Association.__dict__.get("_is_paused"), _PausedFlag):
        Association._is_paused = _PausedFlag()
        AssociationSocket._shutdown_socket = _close_socket


def _close_socket(connection: AssociationSocket) -> None:
    """Close a connection's socket; pynetdicom's own leaks it if it never got connected."""
    if connection.socket is not None:
        with contextlib.suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
        connection.socket.close()


class _PausedFlag:
    """``Association._is_paused`` without the race that makes a requestor lose its response.

    pynetdicom's reactor (``association.py``, 3.0.4) says "paused", waits for the checkpoint, says "running",
    and then takes messages. A sender that clears the checkpoint between the wait and "running" believes the
    reactor paused, although it goes on and takes the sender's response: a 30 s stall and an empty status. So
    "running" holds only if the checkpoint is still set after it was said; else the reactor waits again.
    """

    def __get__(self, association: Association | None, _owner: type[Association]) -> Any:  # noqa: ANN401
        return self if association is None else association.__dict__.get("_is_paused", False)

    def __set__(self, association: Association, paused: bool) -> None:
        state = association.__dict__
        state["_is_paused"] = paused
        if paused or threading.current_thread() is not association:
            return
        checkpoint: threading.Event = state["_reactor_checkpoint"]
        while not checkpoint.is_set():
            state["_is_paused"] = True
            checkpoint.wait()
            state["_is_paused"] = False
