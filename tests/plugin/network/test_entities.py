import pytest

from plugin.errors import ConfigurationError
from plugin.network.entities import Address, parse_address
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
def test_what_is_not_an_address_is_refused(text):
    with pytest.raises(ConfigurationError, match="AET@HOST:PORT"):
        parse_address(text)


def test_no_response_is_lost_on_a_fast_loopback():
    images = [mr_image("race", "1", n) for n in range(150)]
    with pacs() as peer, scanner(peer.port, called="PACS", images=images) as association:
        assert [association.send_c_store(image).get("Status") for image in images] == [0] * len(images)
    assert len(set(peer.uids())) == len(images)
