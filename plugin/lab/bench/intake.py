"""How fast images are received on one association, beside dcmtk's storescp and Orthanc, from the same sender.

The sender is dcmtk's ``storescu`` with TCP_NODELAY, which is as fast as a sender gets. Ours syncs each image to the
disk before it answers; dcmtk and Orthanc do not.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from plugin.errors import PluginError
from plugin.lab.demo.pacs import orthanc_program, running_pacs
from plugin.lab.processes import ENVIRONMENT, answers, free_port, running
from plugin.network.entities import Address
from recon.lab.bench.row import BenchRow, Say

_AIM = "200 images/s, not slower than Orthanc"


def intake_rows(images: Sequence[Path], work: Path, say: Say) -> Iterator[BenchRow]:
    """Send the same images to our receiver and to each peer that is installed; ``work`` holds what they receive.

    Raises
    ------
    PluginError
        ``storescu`` is missing, or a receiver does not take the images.
    """
    if shutil.which("storescu") is None:
        raise PluginError("dcmtk's storescu is missing; install Debian's package dcmtk")
    say(f"intake of {len(images)} images, ours")
    ours = 0.0
    for run in range(2):  # each into a spool of its own: the same images again would be duplicates
        with _ours(work / f"ours-{run}") as address:
            ours = max(ours, _rate(images, address))
    for name, peer in (("dcmtk storescp", _storescp), ("Orthanc", _orthanc)):
        say(f"intake of {len(images)} images, {name}")
        try:
            with peer(work / name.replace(" ", "-")) as address:
                rate = max(_rate(images, address) for _ in range(2))
        except PluginError as reason:
            say(f"{name} left out: {reason}")
            continue
        yield BenchRow(
            group="intake",
            what=f"{len(images)} images of {images[0].stat().st_size // 1000} kB, one association",
            ours="QSM, synced to disk",
            ours_value=ours,
            peer=f"{name}, TCP_NODELAY",
            peer_value=rate,
            unit="images/s",
            aim=_AIM,
        )


def _rate(images: Sequence[Path], peer: Address) -> float:
    """Send images and return how many a second, the association's begin and end included.

    Raises
    ------
    PluginError
        The peer does not take them.
    """
    called = ["-aec", peer.ae_title, peer.host, str(peer.port)]
    command = ["storescu", "-aet", "SCANNER", *called, *map(str, images)]
    began = time.monotonic()
    sent = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if sent.returncode:
        raise PluginError(f"storescu failed: {sent.stderr.strip().splitlines()[-1:] or sent.returncode}")
    return len(images) / seconds


@contextmanager
def _ours(spool: Path) -> Iterator[Address]:
    """Run the service's receiver as the service does: in a process of its own, logging what it logs by default."""
    from plugin.config.settings import Settings
    from plugin.files import make_private_folder

    make_private_folder(spool)
    settings = Settings(spool=spool, port=free_port())
    address = Address(ae_title=settings.ae_title, host="127.0.0.1", port=settings.port)
    command = [sys.executable, "-m", "plugin.service.process", "receiver"]
    line = settings.model_dump_json()
    with running(command, spool / "receiver.log", ready=lambda: answers(address), settings=line):
        yield address


@contextmanager
def _storescp(work: Path) -> Iterator[Address]:
    if shutil.which("storescp") is None:
        raise PluginError("dcmtk's storescp is not installed")
    work.mkdir(parents=True)
    address = Address(ae_title="STORESCP", host="127.0.0.1", port=free_port())
    command = ["storescp", "+xa", "--output-directory", str(work), "-aet", address.ae_title, str(address.port)]
    with running(command, work / "storescp.log", ready=lambda: answers(address)):
        yield address


@contextmanager
def _orthanc(work: Path) -> Iterator[Address]:
    if orthanc_program() is None:
        raise PluginError("Orthanc is not installed")
    with running_pacs(work) as pacs:
        yield pacs.address
