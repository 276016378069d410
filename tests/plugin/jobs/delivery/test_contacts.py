from plugin.jobs.delivery.contacts import Contacts, why_unreachable
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
