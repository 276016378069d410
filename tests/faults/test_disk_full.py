"""A spool on a small disk that fills up: 0xA700, nothing acknowledged lost, and on again without a restart."""

import subprocess

import pytest

from tests.support.campaign import count, counted, say
from tests.support.loopback import mr_image, send_images
from tests.support.privacy import check_nobody_is_named
from tests.support.receiver_process import ReceiverProcess

OUT_OF_RESOURCES = 0xA700


@pytest.fixture
def small_disk(tmp_path):
    """Mount a small file system in memory, and make it larger when told to."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(kib: int, *, again: bool = False) -> None:
        options = f"{'remount,' if again else ''}size={kib}k"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=True, capture_output=True)

    try:
        mount(1024)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a file system in memory cannot be mounted here")
    yield disk, mount
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_refuses_and_recovers(small_disk):
    """Each size runs out at another write: of an image, of a folder, of the index, of its journal, of the log."""
    disk, mount = small_disk
    sizes, refused = count(1, 40), 0
    for number in counted(sizes, "disks filled"):
        mount(4096 + 37 * number, again=True)
        receiver = ReceiverProcess(disk / f"spool{number}", log=disk / "log.jsonl")
        with receiver.running():
            images = [mr_image("study", str(n % 7), n, pixels=20_000) for n in range(150)]
            statuses = send_images(receiver.port, images)
            refused += statuses.count(OUT_OF_RESOURCES)
            assert set(statuses) == {0x0000, OUT_OF_RESOURCES}, sorted(set(statuses))
            mount(65536, again=True)
            assert receiver.send(images) == len(images)  # also those that had been acknowledged: nothing happens
            assert receiver.send([mr_image("study", "more", n) for n in range(3)]) == 3
        receiver.check()
        check_nobody_is_named(disk)
        subprocess.run(["rm", "-rf", str(receiver.spool)], check=True)
    say(f"{sizes} disks filled: {refused} images refused with 0xA700, everything acknowledged on the disk afterwards.")
