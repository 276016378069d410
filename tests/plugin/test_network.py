import threading
import time

import pytest
from pynetdicom.association import Association

from plugin.errors import ConfigurationError
from plugin.network import Address, new_ae, parse_address
from tests.support.loopback import mr_image, pacs, scanner


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PACS@10.0.0.2:104", Address(ae_title="PACS", host="10.0.0.2", port=104)),
        ("A B@host.example:11112", Address(ae_title="A B", host="host.example", port=11112)),
        ("X@[::1]:4242", Address(ae_title="X", host="::1", port=4242)),
    ],
)
def test_addresses_are_read(text, expected):
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["PACS", "PACS@host", "PACS@host:0", "PACS@host:70000", "@h:1", "A@h:x", "A\\B@h:1"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ConfigurationError, match="AET@HOST:PORT"):
        parse_address(text)


def test_the_reactor_pauses_again_when_a_sender_cleared_the_checkpoint_in_between():
    """The schedule of the race itself: checkpoint cleared after the wait, before "running" is said."""
    association = Association(new_ae("A"), "requestor")
    entered = threading.Event()

    def reactor():
        association._is_paused = True
        association._reactor_checkpoint.wait()
        association._reactor_checkpoint.clear()  # what the sender does at the worst moment
        entered.set()
        association._is_paused = False

    association.run = reactor
    association.start()
    assert entered.wait(5)
    time.sleep(0.05)
    assert association._is_paused, "the reactor runs on although the sender holds the checkpoint"
    assert association.is_alive()
    association._reactor_checkpoint.set()
    association.join(5)
    assert not association._is_paused


def test_no_response_is_lost_on_a_fast_loopback():
    images = [mr_image("race", "1", n) for n in range(150)]
    with pacs() as peer, scanner(peer.port, called="PACS", images=images) as association:
        assert [association.send_c_store(image).get("Status") for image in images] == [0] * len(images)
    assert len(set(peer.uids())) == len(images)
