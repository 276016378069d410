"""Settings that are each valid and do not fit together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugin.config.settings import Settings

SENDER = "sender"
"""Name of the destination that stands for the sender of the images."""

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def contradictions(settings: Settings) -> list[str]:
    """Say in sentences what does not fit together."""
    mistakes = []
    names = [d.name for d in settings.destinations]
    for part, used in (("destinations", names), ("rules", [rule.name for rule in settings.rules])):
        repeated = {name: count for name, count in Counter(used).items() if count > 1}
        mistakes += [f"{part}: the name {n!r} is used {count} times; make each unique" for n, count in repeated.items()]
    for magnet in settings.magnets:
        if isinstance(magnet.field, tuple) and not 0.99 <= sum(c * c for c in magnet.field) <= 1.01:
            mistakes.append(f"magnets: the field of {magnet.model!r} is not a direction of length 1")
    if SENDER in names:
        mistakes.append(f"destinations: the name {SENDER!r} is kept for return_to_sender; choose another")
    if settings.bind not in LOOPBACK and not settings.allowed_callers:
        mistakes.append(
            f"allowed_callers: empty, but bind = {settings.bind!r} is reachable from other machines; "
            'list the AE titles that may send, or write ae_title = "*" to accept every one'
        )
    console = settings.console
    if console.enabled and console.bind not in LOOPBACK and console.certificate is None and not console.plain_http:
        mistakes.append(
            f"console: bind = {console.bind!r} is reachable from other machines; name a certificate and its key, "
            'write bind = "127.0.0.1", or plain_http = true if something else encrypts the way there'
        )
    if settings.tls is None:
        secured = [destination for destination in settings.destinations if destination.tls]
        mistakes += [f"destinations: {d.name!r} has tls = true, but there is no [tls]" for d in secured]
        callers = [caller for caller in settings.allowed_callers if caller.return_tls]
        mistakes += [f"allowed_callers: {c.ae_title!r} has return_tls = true, but there is no [tls]" for c in callers]
    mistakes += [
        f"destinations: {d.name!r} is to get {name!r}, which is not made; write {name} = true under [objects]"
        for d in settings.destinations
        for name in d.objects or ()
        if name not in settings.objects.names
    ]
    if settings.retry.longest_seconds < settings.retry.first_seconds:
        mistakes.append("retry: longest_seconds is below first_seconds")
    if settings.database_url and not settings.database_url.startswith("postgresql://"):
        mistakes.append("database_url: expected postgresql://…, or nothing for files in the spool")
    if settings.database_url and settings.local_folder is None:
        mistakes.append("local_folder: required with database_url; name a folder on a disk of this machine alone")
    return mistakes
