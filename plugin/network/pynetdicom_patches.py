"""What is changed in pynetdicom, for the whole process: three defects, and the time that each answer takes.

The changes reach into private names, so they are made only in the version that they were written for and measured
with, which ``pyproject.toml`` pins. Any other version stays as it is, and the log says so.

Figures here and in :mod:`plugin.network.encoding` are of the receiver's process, for 320 images of 131 kB from dcmtk's
``storescu`` on one association; two cores, medians of five runs with and without by turns. Images a second were
measured at a load of 1.5 to 2, and with the library's threads changed as well, which brought nothing (298 images/s
without) and is gone; processor time was measured with the code as it is, at a load of 3 to 4.
"""

from __future__ import annotations

import contextlib
import socket
from functools import cache
from importlib.metadata import version
from typing import Any

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket

from plugin.log import get_logger
from plugin.network.encoding import store_response

SUPPORTED = "3.0.4"
"""Version of pynetdicom that is changed."""

_SMALL_PDU = 1024
"""Peers that take PDUs of so many bytes take the answer to an image in one piece."""

_LAST_OF_COMMAND = b"\x03"
"""Message control header of the last or only piece of a command (PS3.8 §E.2)."""

_encode_and_send = DIMSEServiceProvider.send_msg


@cache
def patch_pynetdicom() -> None:
    """Change pynetdicom's classes, once; leave any version but ``SUPPORTED`` as it is, with a warning in the log."""
    installed = version("pynetdicom")
    if installed != SUPPORTED:
        reason = (
            f"pynetdicom {installed} is installed, our corrections are for {SUPPORTED}: receiving is slower, and an "
            f"answer can be lost; install pynetdicom=={SUPPORTED}"
        )
        get_logger().warning("pynetdicom.not_patched", reason=reason)
        return
    AssociationSocket._shutdown_socket = _close_socket
    # A sender waits until the reactor has paused, lest it take the answer, which _get_message prevents. A thread that
    # ends serving an N-EVENT-REPORT says that the reactor runs although it has paused: the sender would wait for ever.
    Association._is_paused = property(lambda _association: True, lambda _association, _paused: None)
    DIMSEServiceProvider.get_msg = _get_message
    DIMSEServiceProvider.send_msg = _send_message


def _close_socket(connection: AssociationSocket) -> None:
    """Close a connection's socket; pynetdicom's own leaves it open if it was never connected."""
    if connection.socket is not None:
        with contextlib.suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
        connection.socket.close()


def _get_message(dimse: DIMSEServiceProvider, block: bool = False) -> Any:  # noqa: ANN401 - pynetdicom's item
    """Take a request without waiting, as the reactor does, or wait for an answer, as a sender does.

    pynetdicom's own takes whatever comes next. A request that arrives while a sender waits, such as an image while
    storage commitment is reported, aborts the association; and a reactor that was not stopped in time takes the
    answer, which costs the sender its whole time-out and gives it an empty status.

    Returns
    -------
    tuple
        Presentation context ID and message; both None if there is none, or the association has ended.
    """
    messages = dimse.msg_queue

    def find() -> tuple[int | None, Any] | None:
        return next((item for item in messages.queue if _is_answer(item[1]) == block), None)

    with messages.not_empty:
        found = messages.not_empty.wait_for(find, dimse.dimse_timeout if block else 0)
        if found is None:
            return None, None
        messages.queue.remove(found)
        return found


def _is_answer(message: Any) -> bool:  # noqa: ANN401 - any primitive
    """Say whether a message is a response, or None: the news that the association has ended."""
    return message is None or message.MessageIDBeingRespondedTo is not None


def _send_message(dimse: DIMSEServiceProvider, message: Any, context_id: int) -> None:  # noqa: ANN401 - any primitive
    """Send a message; the plain answer to an image is encoded here, to the same bytes.

    273 images/s, 225 without; 0.81 s of processor time, 0.92 s without.
    """
    if not _is_plain_store_response(dimse, message):
        _encode_and_send(dimse, message, context_id)
        return
    answered, instance = message.MessageIDBeingRespondedTo, message.AffectedSOPInstanceUID
    command = store_response(answered, message.AffectedSOPClassUID, instance, message.Status)
    primitive = P_DATA()
    primitive.presentation_data_value_list.append((context_id, _LAST_OF_COMMAND + command))
    dimse.dul.send_pdu(primitive)


def _is_plain_store_response(dimse: DIMSEServiceProvider, message: Any) -> bool:  # noqa: ANN401 - any primitive
    return (
        isinstance(message, C_STORE)
        and message.MessageIDBeingRespondedTo is not None
        and message.ErrorComment is None
        and message.OffendingElement is None
        and (dimse.maximum_pdu_size == 0 or dimse.maximum_pdu_size >= _SMALL_PDU)
    )
