"""Application entities and the addresses of their peers."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom import AE, _config, evt

from dicom_io.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from plugin.config.network_settings import Tls
from plugin.errors import ConfigurationError
from plugin.network.pynetdicom_patches import patch_pynetdicom

MAXIMUM_PDU_BYTES = 131072
"""What we tell peers they may send in one PDU; a larger one ends the association. More is not faster."""

TIMEOUT_S = 10.0
"""How long a peer may take to answer one message; a healthy one answers in milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """A DICOM peer: ``AET@HOST:PORT``; with ``tls`` the connection to it is made with these certificates."""

    ae_title: str
    host: str
    port: int
    tls: Tls | None = None

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read ``AET@HOST:PORT`` (an IPv6 host in square brackets).

    Raises
    ------
    ConfigurationError
        The text is not such an address.
    """
    match = re.fullmatch(r"(?P<aet>[^@\\]{1,16})@(?P<host>\[[^\]]+\]|[^:\[\]]+):(?P<port>\d{1,5})", text.strip())
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigurationError(f"{text!r} is not a DICOM address: expected AET@HOST:PORT, such as PACS@10.0.0.2:104")
    return Address(ae_title=match["aet"], host=match["host"].strip("[]"), port=int(match["port"]))


def new_ae(ae_title: str) -> AE:
    """Build an application entity with this product's limits and time-outs."""
    _prepare_library()
    ae = AE(ae_title=ae_title)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_pdu_size = MAXIMUM_PDU_BYTES
    ae.acse_timeout = TIMEOUT_S
    ae.dimse_timeout = TIMEOUT_S
    ae.connection_timeout = TIMEOUT_S
    return ae


def send_without_delay(event: evt.Event) -> None:
    """Handle ``EVT_CONN_OPEN``: switch Nagle's algorithm off, and limit how long a silent peer is waited for.

    With the algorithm on, a message's last short segment waits for the peer's delayed acknowledgement: 40 ms. A peer
    that stops in the middle of a message, or stops reading, would otherwise hold its threads for ever.
    """
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.socket.settimeout(event.assoc.network_timeout)


def _prepare_library() -> None:
    """Let pynetdicom accept private SOP classes, send files as they are, and log nothing (its log dumps requests)."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    _config.STORE_SEND_CHUNKED_DATASET = True
    _config.VALIDATORS["UI"] = _is_uid
    patch_pynetdicom()


def _is_uid(value: str) -> tuple[bool, str]:
    """Let malformed UIDs pass: the library aborts the association of one, which costs the images after it, too."""
    return bool(value), "must not be empty"
