"""Changes to pynetdicom, for the whole process: defects, limits to what peers send, and the time of each answer.

They reach into private names, so they are made only in the version that they were measured with, which
``pyproject.toml`` pins. Any other version stays as it is, and the log says so.

Figures here and in :mod:`plugin.network.encoding` are of the receiver's process, for 320 images of 131 kB from dcmtk's
``storescu`` on one association; two cores, medians of five runs with and without by turns, at a load of 1.5 to 2 for
images a second and of 3 to 4 for processor time.
"""

from __future__ import annotations

import contextlib
import socket
from functools import cache
from importlib.metadata import version
from typing import Any

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import StateMachine
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket

from plugin.log import describe, get_logger
from plugin.network.encoding import store_response

SUPPORTED = "3.0.4"
"""Version of pynetdicom that is changed."""

_SMALL_PDU = 1024
"""Peers that take PDUs of so many bytes take the answer to an image in one piece."""

_PIECE = 65536
"""Most bytes that are asked of a connection at once."""

_SHORTEST_PAUSE_SECONDS = 0.001
_PAUSE_SECONDS_FOR_EACH = 0.0002
"""How often associations look at their connections: each 1000 times a second, or all together 5000 times."""

_LAST_OF_COMMAND = b"\x03"
"""Message control header of the last or only piece of a command (PS3.8 §E.2)."""

_CANNOT_UNDERSTAND = 0xC000

_encode_and_send = DIMSEServiceProvider.send_msg
_receive_valid = DIMSEServiceProvider.receive_primitive
_act = StateMachine.do_action
_serve_valid = Association._serve_request
_bytes_arrived = AssociationSocket.ready.fget
_react = DULServiceProvider.run_reactor

_reacting: set[DULServiceProvider] = set()
"""Of the associations that are open in this process."""


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
    AssociationSocket.recv = _receive
    AssociationSocket.ready = property(_is_ready)
    Association._serve_request = _serve_request
    # A sender waits until the reactor has paused, so that it does not take the answer; _get_message prevents that. A
    # thread that ends an N-EVENT-REPORT says that the reactor runs although it has paused: the sender waits for ever.
    Association._is_paused = property(lambda _association: True, lambda _association, _paused: None)
    DULServiceProvider.run_reactor = _run_reactor
    DULServiceProvider._run_loop_delay = property(_pause_seconds, lambda _provider, _seconds: None)
    StateMachine.do_action = _do_action
    DIMSEServiceProvider.receive_primitive = _receive_primitive
    DIMSEServiceProvider.get_msg = _get_message
    DIMSEServiceProvider.send_msg = _send_message


def _close_socket(connection: AssociationSocket) -> None:
    """Close a connection's socket; pynetdicom's own leaves it open if it was never connected."""
    if connection.socket is not None:
        with contextlib.suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
        connection.socket.close()


def give_back(association: Association, data: bytes) -> None:
    """Let an association read bytes that were read from its connection before it was made."""
    association.dul.socket.read_before = bytearray(data)


def _is_ready(connection: AssociationSocket) -> bool:
    return bool(getattr(connection, "read_before", b"")) or bool(_bytes_arrived(connection))


def _run_reactor(provider: DULServiceProvider) -> None:
    """Look at a connection until its association has ended."""
    _reacting.add(provider)
    try:
        _react(provider)
    finally:
        _reacting.discard(provider)


def _pause_seconds(_provider: DULServiceProvider) -> float:
    """Say how long the thread of an association pauses before it looks at its connection again.

    In pynetdicom it is a millisecond, and 64 associations need a whole core for that alone.
    """
    return max(_SHORTEST_PAUSE_SECONDS, _PAUSE_SECONDS_FOR_EACH * len(_reacting))


def _receive(connection: AssociationSocket, count: int) -> bytearray:
    """Read so many bytes, fewer if the connection ends; a PDU that is larger than we said we take ends it.

    pynetdicom's own reads any PDU that a peer announces, up to 4 GiB.
    """
    association = connection.assoc
    limit = association.acceptor.maximum_length if association.is_acceptor else association.requestor.maximum_length
    read_before: bytearray = getattr(connection, "read_before", bytearray())
    if count > (limit or count) and not read_before:
        get_logger().warning("association.aborted", reason=f"the peer sent a PDU of {count} bytes; we take {limit}")
        connection.socket.shutdown(socket.SHUT_RDWR)
        raise OSError("PDU too large")
    read = read_before[:count]
    del read_before[:count]
    while len(read) < count and (piece := connection.socket.recv(min(count - len(read), _PIECE))):
        read += piece
    return read


def _do_action(machine: StateMachine, event: str) -> None:
    """Act on an event of the upper layer; one that its state does not allow ends the association.

    In pynetdicom it ends the thread that reads alone, and the association lasts until its time-out.
    """
    try:
        _act(machine, event)
    except Exception as error:
        association = machine.dul.assoc
        get_logger().warning("association.aborted", reason="the peer broke the protocol", **describe(error))
        association.is_aborted, association.is_established = True, False
        evt.trigger(association, evt.EVT_ABORTED, {})
        if machine.dul.socket is not None:
            machine.dul.socket.close()
        association._kill = machine.dul._kill_thread = True


def _receive_primitive(dimse: DIMSEServiceProvider, primitive: P_DATA) -> None:
    """Take a piece of a message; one that makes no sense aborts the association.

    In pynetdicom it may end the thread that reads, and the association then lasts until its time-out.
    """
    try:
        _receive_valid(dimse, primitive)
    except Exception as error:  # whatever a damaged command makes the parser raise
        get_logger().warning("association.aborted", reason="the peer sent a message that is not one", **describe(error))
        dimse.message = None
        dimse.dul.event_queue.put("Evt19")  # unrecognised or invalid PDU (PS3.8 §9.2.1)


def _serve_request(association: Association, message: Any, context_id: int) -> None:  # noqa: ANN401 - any primitive
    """Serve a request; an image without UIDs is answered, where pynetdicom says nothing and the sender waits."""
    if isinstance(message, C_STORE) and message.MessageID is not None and not message.is_valid_request:
        if message.Priority is None:
            message.Priority = 0
        if not message.is_valid_request:
            status = f"0x{_CANNOT_UNDERSTAND:04X}"
            get_logger().warning("image.rejected", status=status, reason="a request without UIDs")
            answer = C_STORE()
            answer.MessageIDBeingRespondedTo, answer.Status = message.MessageID, _CANNOT_UNDERSTAND
            _encode_and_send(association.dimse, answer, context_id)
            return
    _serve_valid(association, message, context_id)


def _get_message(dimse: DIMSEServiceProvider, block: bool = False) -> Any:  # noqa: ANN401 - pynetdicom's item
    """Take a request without waiting, as the reactor does, or wait for an answer, as a sender does.

    pynetdicom's own takes whatever comes next. A request that arrives while a sender waits, such as an image while
    storage commitment is reported, aborts the association; and a reactor that was not stopped in time takes the
    answer, so that the sender waits for its whole time-out and gets an empty status.

    Returns presentation context ID and message; both are None if there is none, or the association has ended.
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
