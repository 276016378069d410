"""Associations with peers that we ask for: made with this product's limits, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from plugin.errors import ConfigurationError, DeliveryError
from plugin.network.entities import Address, send_without_delay
from plugin.network.tls import calling_context

Handlers = Sequence[tuple[evt.EventType, Callable[..., object]]]

_TRANSIENT = 2

_REJECTIONS: dict[tuple[object, object], str] = {
    (1, 2): "it does not support the DICOM application context",
    (1, 3): "it does not know our AE title; add it there",
    (1, 7): "that is not its AE title; correct it here",
    (2, 2): "it does not support our version of the upper layer protocol",
    (3, 1): "temporary congestion",
    (3, 2): "it has as many associations as it allows",
}
"""What result source and diagnostic of an A-ASSOCIATE-RJ mean (PS3.8 §9.3.4)."""


class Trouble(StrEnum):
    """Why a peer does not have an object."""

    AWAY = "away"
    """There is no association: the name is not resolved, nobody listens, or the peer rejects the association."""
    SILENT = "silent"
    """No answer, or one without a status: the object may or may not have arrived."""
    BUSY = "busy"
    """A failure of the peer, such as a lack of resources."""
    REFUSED = "refused"
    """The peer does not take the object itself (A9xx, Cxxx, 0122, or no presentation context)."""


class Failure(NamedTuple):
    """Why something was not done; ``was_sent`` unless the peer was not even asked."""

    reason: str
    trouble: Trouble
    was_sent: bool = True


def connect(ae: AE, peer: Address, handlers: Handlers = ()) -> Association | Failure:
    """Associate with a peer, or say why there is no association.

    Raises
    ------
    DeliveryError
        The files for TLS cannot be used.
    """
    try:
        association = _associate(ae, peer, [(evt.EVT_CONN_OPEN, send_without_delay), *handlers])
    except OSError as error:  # the name service is away, or does not know the host
        reason = f"{peer} cannot be reached: {error.strerror or 'the host name is not known'}"
        return Failure(reason=reason, trouble=Trouble.AWAY)
    return association if association.is_established else _why_not(association, peer)


def _associate(ae: AE, peer: Address, handlers: Handlers) -> Association:
    try:
        tls_args = (calling_context(peer.tls, peer.host), peer.host) if peer.tls else None
    except ConfigurationError as error:
        raise DeliveryError(str(error)) from error
    return ae.associate(peer.host, peer.port, ae_title=peer.ae_title, evt_handlers=handlers, tls_args=tls_args)


def _why_not(association: Association, peer: Address) -> Failure:
    """Say why there is no association; a rejection in the terms of PS3.8 §9.3.4."""
    if association.is_rejected:
        reason = f"{peer} rejected the association: {_rejection(association)}"
        return Failure(reason=reason, trouble=Trouble.AWAY)
    if association.rejected_contexts and not association.accepted_contexts:
        classes = ", ".join(sorted({str(UID(one.abstract_syntax).name) for one in association.rejected_contexts}))
        reason = f"{peer} accepts no presentation context we proposed: allow it {classes}, Explicit VR Little Endian"
        return Failure(reason=reason, trouble=Trouble.REFUSED)
    question = "is it running, and are host, port and AE title right?"
    if peer.tls:
        question += " Or one side does not accept the other's certificate: the peer's must name the host."
    return Failure(reason=f"{peer} cannot be reached: {question}", trouble=Trouble.AWAY)


def _rejection(association: Association) -> str:
    answer = association.acceptor.primitive
    key = (getattr(answer, "result_source", None), getattr(answer, "diagnostic", None))
    lasts = "transient" if getattr(answer, "result", None) == _TRANSIENT else "permanent"
    return f"{_REJECTIONS.get(key, 'no reason given')} ({lasts})"


def status_name(status: int | None) -> str:
    """Name the status of an answer, None for none, with the standard's words where it has some (PS3.4 B.2.3)."""
    if status is None:
        return "nothing"
    _, words = STORAGE_SERVICE_CLASS_STATUS.get(status, ("", ""))
    return f"status 0x{status:04X}" + (f" ({words.removeprefix('Refused: ')})" if words else "")
