"""Which associations are admitted, and what ends one: callers, places, the disk, the size of what they send."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pynetdicom import evt
from pynetdicom.association import Association

from plugin.config.settings import Caller, Settings
from plugin.intake.spool import shortage
from plugin.log import get_logger
from plugin.network.door import hang_up
from plugin.network.rejections import Rejections

REJECT_UNKNOWN_CALLER = (0x01, 0x01, 0x03)
"""Permanent, service user, calling AE title not recognised (PS3.8 §9.3.4)."""

REJECT_USER_IDENTITY = (0x01, 0x02, 0x01)
"""Permanent, service provider (ACSE), no reason given."""

REJECT_TOO_MANY = (0x02, 0x03, 0x02)
"""Transient, service provider (presentation), local limit exceeded."""

REJECT_NO_ROOM = (0x02, 0x03, 0x01)
"""Transient, service provider (presentation), temporary congestion."""

_MOST_REQUESTS: Final = 8
"""Requests of one association that may wait to be answered; a peer that negotiates nothing else sends one at a time."""

NO_LIMIT: Final = 2**31
"""Of associations, for pynetdicom, which counts connections that never ask for one; ``has_place`` counts the others."""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """The places that associations have."""

    settings: Settings
    rejections: Rejections
    places: list[Association] = field(default_factory=list)
    changing: threading.Lock = field(default_factory=threading.Lock)

    def has_place(self, association: Association) -> bool:
        """Give an association one of the places, if there is one: whoever only knocks takes none."""
        with self.changing:
            self.places[:] = [one for one in self.places if one.is_alive()]
            free = len(self.places) < self.settings.maximum_associations
            if free:
                self.places.append(association)
            return free

    def give_up_place(self, association: Association) -> None:
        """Let another association have the place of one that has ended."""
        with self.changing:
            self.places[:] = [one for one in self.places if one is not association]


def admit(event: evt.Event, admission: Admission) -> None:
    """Reject unknown callers, and everybody before the disk is full or while there are too many associations."""
    calling_ae = str(event.assoc.requestor.primitive.calling_ae_title).strip()
    address = str(event.assoc.requestor.address)
    log = get_logger().bind(calling_ae=calling_ae, address=address)
    if not is_allowed(admission.settings.allowed_callers, calling_ae, address):
        reason = "caller is not in allowed_callers"
        log.warning("association.rejected", reason=reason)
        _reject(event.assoc, REJECT_UNKNOWN_CALLER)
        admission.rejections.count("association", "unknown-caller")
        admission.rejections.alert(reason, calling_ae=calling_ae, address=address)
    elif event.assoc.requestor.user_identity and admission.settings.user_identity == "reject":
        reason = "it offers a user identity, which is not checked here; switch that off there, or set user_identity"
        log.warning("association.rejected", reason=reason)
        _reject(event.assoc, REJECT_USER_IDENTITY)
        admission.rejections.count("association", "user-identity")
        admission.rejections.alert(reason, calling_ae=calling_ae, address=address)
    elif short := shortage(admission.settings.spool, admission.settings.disk):
        log.error("association.rejected", reason=short)
        _reject(event.assoc, REJECT_NO_ROOM)
        admission.rejections.count("association", "no-room")
    elif not admission.has_place(event.assoc):
        log.warning("association.rejected", reason="as many associations as maximum_associations allows")
        _reject(event.assoc, REJECT_TOO_MANY)
        admission.rejections.count("association", "too-many")


def _reject(association: Association, reason: tuple[int, int, int]) -> None:
    association.acse.send_reject(*reason)
    association.kill()  # waits until the answer is out; else the peer sees an abort


def is_allowed(callers: tuple[Caller, ...], calling_ae: str, address: str) -> bool:
    """Say whether a caller is on the list; an empty list admits everyone."""
    named = [caller for caller in callers if caller.ae_title in ("*", calling_ae)]
    return not callers or (bool(named) and is_known_address(named, address))


def is_known_address(callers: Sequence[Caller], address: str) -> bool:
    """Say whether somebody on the list may call from an address; an empty list admits everyone."""
    return not callers or any(caller.host in ("", address) for caller in callers)


def limit(event: evt.Event, largest_bytes: int) -> None:
    """Abort an association that sends an object without end, or one request after the other without waiting."""
    dimse = event.assoc.dimse
    size = dimse.message.data_set.tell() if dimse.message is not None else 0
    if size > largest_bytes or dimse.msg_queue.qsize() > _MOST_REQUESTS:
        reason = "an object larger than largest_object_gib" if size > largest_bytes else "requests without waiting"
        get_logger().warning("association.aborted", reason=f"the peer sends {reason}")
        dimse.message = None  # frees its memory; what still arrives is not a message
        hang_up(event.assoc.dul.socket.socket)
