"""Who may reach the service and how: parts of the configuration that guard its port."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from plugin.config.rules import Frozen


def plain_address(address: str) -> str:
    """Write an IP address in one way; an IPv4 address that an IPv6 socket shows (``::ffff:…``) as the IPv4 address."""
    known = ipaddress.ip_address(address.partition("%")[0])
    mapped = known.ipv4_mapped if isinstance(known, ipaddress.IPv6Address) else None
    return str(mapped or known)


def _address_or_nothing(host: str) -> str:
    try:
        return plain_address(host) if host else ""
    except ValueError:
        raise ValueError(
            f"{host!r} is not an IP address; write the address that the caller has, since names can be forged"
        ) from None


CallerHost = Annotated[str, AfterValidator(_address_or_nothing)]
"""IP address of a caller, or nothing for any."""


class Tls(Frozen):
    """TLS 1.2 and 1.3 with certificates of both sides (PS3.15 B.12, BCP 195).

    The port then speaks TLS and nothing else; destinations have a switch of their own, ``tls``. Files that change are
    read again.
    """

    certificate: Path = Field(examples=["tls/plugin.pem"])
    """PEM file of our certificate, to callers and to destinations alike; relative to the configuration file."""
    key: Path = Field(examples=["tls/plugin.key"])
    """PEM file of our key: without a password, and readable by the service's user alone."""
    authorities: Path = Field(examples=["tls/authorities.pem"])
    """PEM file of the authorities that issued the certificates of our peers."""

    def below(self, folder: Path) -> Self:
        """Return the files with paths relative to a folder."""
        return self.model_copy(update={name: folder / path for name, path in self})
