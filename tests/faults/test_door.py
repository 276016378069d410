"""Many at the door: bad connections while a good sender sends."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.campaign import FULL, say
from tests.support.loopback import mr_image
from tests.support.receiver_process import ReceiverProcess

pytestmark = pytest.mark.skipif(not FULL, reason="a thousand connections: make faults")

IMAGES = 40
GARBAGE = (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\x01\x00\xff\xff\xff\xff", bytes(6))


@pytest.fixture(scope="module")
def receiver(tmp_path_factory):
    found = ReceiverProcess(tmp_path_factory.mktemp("door") / "spool")
    with found.running():
        yield found


def bother(port: int, number: int, stopping: threading.Event) -> int:
    """Open bad connections until told to stop: silent ones, half requests, other protocols; return how many."""
    opened = 0
    while not stopping.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                opened += 1
                connection.sendall(GARBAGE[(number + opened) % len(GARBAGE)])
                stopping.wait(0.2)
        except OSError:
            stopping.wait(0.05)
    return opened


def images_per_s(receiver: ReceiverProcess, name: str) -> float:
    began = time.monotonic()
    assert receiver.send([mr_image(name, "series", n) for n in range(IMAGES)]) == IMAGES
    return IMAGES / (time.monotonic() - began)


def test_a_good_sender_keeps_its_place_among_bad_connections(receiver):
    quiet = images_per_s(receiver, "quiet")
    stopping, many = threading.Event(), 1000
    with ThreadPoolExecutor(many) as pool:
        bad = [pool.submit(bother, receiver.port, number, stopping) for number in range(many)]
        time.sleep(1.0)
        rates = [images_per_s(receiver, f"busy {n}") for n in range(5)]
        stopping.set()
        opened = sum(one.result() for one in bad)
    assert min(rates) > quiet / 2, f"{quiet:.0f} images/s alone, {min(rates):.0f} among bad connections"
    say(f"{opened} bad connections by {many} at a time: {quiet:.0f} images/s alone, {min(rates):.0f} among them.")
    receiver.check()
