"""Many at the door: bad connections while a good sender sends."""

import socket
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.campaign import FULL, say
from tests.support.loopback import mr_image, storescu
from tests.support.privacy import check_nobody_is_named
from tests.support.receiver_process import ReceiverProcess

pytestmark = pytest.mark.skipif(not FULL, reason="a thousand connections: make faults")

IMAGES = 200
GARBAGE = (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\x01\x00\xff\xff\xff\xff", bytes(6))


@pytest.fixture(scope="module")
def receiver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("door")
    found = ReceiverProcess(folder / "spool", log=folder / "log.jsonl")
    with found.running() as process:
        yield found
        check_nobody_is_named(folder, processes=[process.pid])


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


def images_per_s(receiver: ReceiverProcess, folder: Path) -> float:
    """Send images from a process of its own: threads of this one have to wait for a thousand others."""
    folder.mkdir()
    for n in range(IMAGES):
        mr_image(folder.name, "series", n).save_as(folder / f"{n}.dcm", enforce_file_format=True)
    began = time.monotonic()
    storescu(receiver.port, folder)
    return IMAGES / (time.monotonic() - began)


def test_a_good_sender_keeps_its_place_among_bad_connections(receiver, tmp_path):
    quiet = images_per_s(receiver, tmp_path / "quiet")
    stopping, many = threading.Event(), 1000
    with ThreadPoolExecutor(many) as pool:
        bad = [pool.submit(bother, receiver.port, number, stopping) for number in range(many)]
        time.sleep(1.0)
        rates = [images_per_s(receiver, tmp_path / f"busy-{n}") for n in range(5)]
        stopping.set()
        opened = sum(one.result() for one in bad)
    among, slowest = statistics.median(rates), min(rates)
    assert among > quiet / 2, f"{quiet:.0f} images/s alone, {among:.0f} among bad connections"
    connections = f"{opened} bad connections by {many} at a time"
    say(f"{connections}: {quiet:.0f} images/s alone, among them {among:.0f} (median of 5; the slowest {slowest:.0f}).")
    assert len(list((receiver.spool / "images").glob("*/*/*.dcm"))) == 6 * IMAGES
