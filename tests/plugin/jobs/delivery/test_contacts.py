import time
from types import SimpleNamespace

from plugin.jobs.delivery.contacts import Contacts, shorten_waits, why_unreachable
from plugin.jobs.queue import PAUSE_SECONDS
from plugin.network.entities import Address
from tests.support.loopback import free_port, pacs

PEER = Address(ae_title="PACS", host="10.0.0.9", port=104)


def test_a_peer_that_was_away_is_spared_until_its_next_probe_is_overdue():
    contacts = Contacts(probe_seconds=60)
    assert contacts.why_away(PEER) == ""
    contacts.note(PEER, "nobody listens")
    assert contacts.why_away(PEER) == "nobody listens"
    contacts.note(PEER, "")
    assert contacts.why_away(PEER) == ""
    overdue = Contacts(probe_seconds=0)
    overdue.note(PEER, "nobody listens")
    assert overdue.why_away(PEER) == ""


def test_a_peer_that_answers_is_there():
    with pacs() as peer:
        assert why_unreachable(Address(ae_title="PACS", host="127.0.0.1", port=peer.port), "QSM") == ""
    away = why_unreachable(Address(ae_title="PACS", host="127.0.0.1", port=free_port()), "QSM")
    assert "cannot be reached" in away


def test_no_attempt_waits_longer_than_it_was_to_after_the_clock_was_set_back():
    set_to, now = {}, time.time()
    connected = SimpleNamespace(set_workflow_delay=lambda name, delay_seconds: set_to.update({name: delay_seconds}))
    until = {"short": (900.0, 899.0), "a day": (900.0, 86400.0 + 300.0), "unknown": (None, 86400.0)}
    delayed = [
        SimpleNamespace(
            workflow_id=name, attributes=pause and {PAUSE_SECONDS: pause}, delay_until_epoch_ms=(now + left) * 1000
        )
        for name, (pause, left) in until.items()
    ]
    shorten_waits(connected, delayed)
    assert set_to == {"a day": 900.0}
