import fcntl
import gc
import os
import resource
import select
import socket
import threading
import time
from queue import Empty
from types import SimpleNamespace

import pytest
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from plugin.network.entities import new_ae
from plugin.network.pynetdicom_patches import _ToSend, wake_by_arrival
from tests.support.loopback import mr_image, pacs, scanner, wait_for

AE = new_ae("A")


class CheckpointClearedInBetween(threading.Event):
    """Lets the reactor through once, and is then cleared at the worst moment: before "running" is said."""

    def __init__(self):
        super().__init__()
        self.set()
        self.cleared = threading.Event()

    def wait(self, timeout=None):
        passed = super().wait(timeout)
        if not self.cleared.is_set():
            self.clear()
            self.cleared.set()
        return passed


def test_the_reactor_leaves_an_answer_to_the_sender_that_cleared_the_checkpoint():
    association = Association(AE, "requestor")
    association._reactor_checkpoint = checkpoint = CheckpointClearedInBetween()
    answer = SimpleNamespace(MessageIDBeingRespondedTo=1)
    association.dimse.msg_queue.put((1, answer))
    association.run = association._run_reactor
    association.start()
    assert checkpoint.cleared.wait(5)
    deadline = time.monotonic() + 5
    while not association._is_paused and time.monotonic() < deadline:
        time.sleep(0.001)
    assert association._is_paused
    assert association.dimse.get_msg(block=True) == (1, answer)
    association._kill = True
    checkpoint.set()
    association.join(5)
    assert not association.is_alive()


def test_another_thread_cannot_say_that_the_reactor_runs():
    """As the one that serves an N-EVENT-REPORT does at its end, although a sender holds the checkpoint."""
    association = Association(AE, "requestor")
    association._reactor_checkpoint.clear()
    association.run = association._run_reactor
    association.start()
    wait_for(lambda: association._is_paused, what="the reactor pauses")
    association._is_paused = False
    assert association._is_paused
    association._kill = True
    association._reactor_checkpoint.set()
    association.join(5)
    assert not association.is_alive()


def test_what_is_handed_to_an_association_wakes_it():
    association = Association(AE, "acceptor")
    for queue in (association.dimse.msg_queue, association.dul.to_user_queue):
        association._arrived.clear()
        queue.put("message")
        assert association._arrived.is_set()


def test_what_is_to_be_sent_makes_the_pipe_readable_until_it_is_heard():
    queue = _ToSend()

    def rings():
        return bool(select.select([queue.reading], [], [], 0)[0])

    assert not rings()
    for _ in range(100_000):  # more rings than a pipe holds: none of them may block
        queue.put("primitive")
    assert rings()
    while rings():
        queue.hear()
    assert queue.qsize() == 100_000


def test_an_association_that_is_over_leaves_no_descriptor_open():
    gc.collect()
    before = pipes()
    images = [mr_image("descriptors", "1", 1)]
    with pacs() as peer:
        for _ in range(4):
            with scanner(peer.port, called="PACS", images=images) as association:
                assert association.send_c_store(images[0]).Status == 0
                assert len(pipes()) > len(before)
    gc.disable()  # whether the garbage is collected in time must not matter
    try:
        wait_for(lambda: len(pipes()) <= len(before), what="pipes are closed")
    finally:
        gc.enable()


def test_a_closed_queue_still_takes_primitives():
    queue = _ToSend()
    queue.close()
    queue.close()
    queue.put("primitive")
    assert queue.get() == "primitive"


def pipes():
    descriptors = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return {name for name in descriptors if os.path.exists(name) and os.readlink(name).startswith("pipe:")}


REQUEST = (1, SimpleNamespace(MessageIDBeingRespondedTo=None))
ANSWER = (1, SimpleNamespace(MessageIDBeingRespondedTo=7))
ENDED = (None, None)


@pytest.mark.parametrize("answer", [ANSWER, ENDED])
def test_a_sender_takes_its_answer_and_leaves_requests_to_the_reactor(answer):
    messages = Association(AE, "acceptor").dimse.msg_queue
    messages.put(REQUEST)
    threading.Timer(0.05, messages.put, [answer]).start()
    assert messages.get(timeout=5) is answer
    assert messages.get(block=False) is REQUEST


def test_a_sender_without_an_answer_waits_as_long_as_it_says():
    messages = Association(AE, "acceptor").dimse.msg_queue
    messages.put(REQUEST)
    with pytest.raises(Empty):
        messages.get(timeout=0.02)
    assert messages.qsize() == 1


def test_descriptors_above_1023_are_waited_for():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("this user may not open as many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(fileno=fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 1500)) as high:
        association = Association(AE, "acceptor")
        connection = AssociationSocket(association, client_socket=high)
        association.set_socket(connection)
        association.dul.event_queue.get()  # that it is connected
        assert not connection.ready
        theirs.sendall(b"x")
        assert connection.ready
        assert association.dul.event_queue.empty()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("sent", "asked"), [(b"x" * 700_001, 700_001), (b"x" * 70_001, 700_001), (b"", 6)])
def test_reading_ends_with_the_bytes_asked_or_with_the_connection(sent, asked):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = AssociationSocket(Association(AE, "acceptor"), client_socket=ours)
        sender = threading.Thread(target=lambda: (theirs.sendall(sent), theirs.shutdown(socket.SHUT_WR)))
        sender.start()
        assert bytes(connection.recv(asked)) == sent
        sender.join()


def test_changing_the_library_twice_changes_it_once():
    before = Association.__init__, Association._run_reactor, AssociationSocket.ready
    wake_by_arrival()
    assert (Association.__init__, Association._run_reactor, AssociationSocket.ready) == before
