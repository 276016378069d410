import threading
import time
from types import SimpleNamespace

import pytest
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.transport import AssociationSocket

from plugin.network import pynetdicom_patches as patches
from plugin.network.entities import new_ae
from tests.support.loopback import wait_for

AE = new_ae("A")
REQUEST = (1, SimpleNamespace(MessageIDBeingRespondedTo=None))
ANSWER = (1, SimpleNamespace(MessageIDBeingRespondedTo=7))
ENDED = (None, None)


@pytest.fixture
def association():
    return Association(AE, "requestor")


@pytest.fixture
def running(association):
    """An association whose reactor runs and counts the requests that it serves."""
    association.served = []
    association._serve_request = lambda message, _context: association.served.append(message)
    association.dul.is_alive = lambda: not association._kill
    association.run = association._run_reactor
    association.start()
    yield association
    association._kill = True
    association._reactor_checkpoint.set()
    association.join(5)
    assert not association.is_alive()


def test_the_reactor_leaves_an_answer_to_the_sender(running):
    running.dimse.msg_queue.put(ANSWER)
    running.dimse.msg_queue.put(REQUEST)
    wait_for(lambda: running.served == [REQUEST[1]], what="the request is served")
    assert running.dimse.get_msg(block=True) == ANSWER


def test_another_thread_cannot_make_a_sender_wait_for_ever(running):
    """As the one that serves an N-EVENT-REPORT does at its end, although a sender holds the checkpoint."""
    running._reactor_checkpoint.clear()
    running._is_paused = False
    assert running._is_paused


@pytest.mark.parametrize("answer", [ANSWER, ENDED])
def test_a_sender_takes_its_answer_and_leaves_requests_to_the_reactor(association, answer):
    messages = association.dimse.msg_queue
    messages.put(REQUEST)
    threading.Timer(0.05, messages.put, [answer]).start()
    assert association.dimse.get_msg(block=True) is answer
    assert association.dimse.get_msg(block=False) is REQUEST
    assert association.dimse.get_msg(block=False) == (None, None)


def test_a_sender_without_an_answer_waits_as_long_as_it_says(association):
    association.dimse_timeout = 0.02
    association.dimse.msg_queue.put(REQUEST)
    began = time.monotonic()
    assert association.dimse.get_msg(block=True) == (None, None)
    assert 0.02 <= time.monotonic() - began < 5
    assert association.dimse.msg_queue.qsize() == 1


def test_many_associations_look_at_their_connections_less_often(association, monkeypatch):
    paused = []
    monkeypatch.setattr(patches, "_reacting", {object() for _ in range(63)})
    monkeypatch.setattr(patches, "_react", lambda provider: paused.append(provider._run_loop_delay))
    association.dul.run_reactor()
    assert paused == [pytest.approx(0.0128)]
    patches._reacting.clear()
    association.dul.run_reactor()
    assert paused[1:] == [0.001]
    assert not patches._reacting


def test_another_version_is_left_alone_and_the_log_says_so(monkeypatch):
    said = []
    log = SimpleNamespace(warning=lambda event, reason: said.append((event, reason)))
    monkeypatch.setattr(patches, "get_logger", lambda: log)
    monkeypatch.setattr(patches, "version", lambda name: "3.1.0")
    for owner, name in (
        (AssociationSocket, "_shutdown_socket"),
        (Association, "_is_paused"),
        (DIMSEServiceProvider, "get_msg"),
        (DIMSEServiceProvider, "send_msg"),
    ):
        monkeypatch.setattr(owner, name, "pynetdicom's own")
    patches.patch_pynetdicom.__wrapped__()
    assert DIMSEServiceProvider.get_msg == DIMSEServiceProvider.send_msg == "pynetdicom's own"
    assert AssociationSocket._shutdown_socket == Association._is_paused == "pynetdicom's own"
    ((event, reason),) = said
    assert event == "pynetdicom.not_patched"
    assert "pynetdicom 3.1.0 is installed" in reason
    assert f"pynetdicom=={patches.SUPPORTED}" in reason
