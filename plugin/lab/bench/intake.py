"""How fast images are taken in, on one association, beside dcmtk's storescp and Orthanc, from the same sender.

The sender is dcmtk's ``storescu`` with TCP_NODELAY, which is as fast as a sender gets. Ours syncs each image to the
disk before it answers; dcmtk and Orthanc do not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from plugin.errors import DeliveryError, PluginError
from plugin.lab.demo.pacs import free_port, running_pacs
from plugin.network.entities import Address
from plugin.network.send import echo
from recon.lab.bench.row import BenchRow, Say

_START_SECONDS = 20.0
_ENVIRONMENT = {"TCP_NODELAY": "1"}  # without it dcmtk's sockets wait 40 ms for every image's acknowledgement
_AIM = "200 images/s, not slower than Orthanc"


def intake_rows(images: Sequence[Path], work: Path, say: Say) -> Iterator[BenchRow]:
    """Send the same images to our receiver and to each peer that is installed.

    Parameters
    ----------
    images
        DICOM files.
    work
        Folder for what is received.
    say
        Told what is being done.

    Raises
    ------
    PluginError
        ``storescu`` is missing, or a receiver does not take the images.
    """
    if shutil.which("storescu") is None:
        raise PluginError("dcmtk's storescu is missing; install Debian's package dcmtk")
    folder = work / "images"
    _link(images, folder)
    say(f"intake of {len(images)} images, ours")
    ours = 0.0
    for run in range(2):  # each into a spool of its own: the same images again would be duplicates
        with _ours(work / f"ours-{run}") as address:
            ours = max(ours, _rate(folder, address, len(images)))
    for name, peer in (("dcmtk storescp", _storescp), ("Orthanc", _orthanc)):
        say(f"intake of {len(images)} images, {name}")
        try:
            with peer(work / name.replace(" ", "-")) as address:
                rate = max(_rate(folder, address, len(images)) for _ in range(2))
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


def _link(images: Sequence[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        os.symlink(image.resolve(), folder / f"{number:05d}.dcm")


def _rate(folder: Path, peer: Address, count: int) -> float:
    """Send a folder and return the images a second, the association's begin and end included.

    Raises
    ------
    PluginError
        The peer does not take them.
    """
    command = ["storescu", "+sd", "-aet", "SCANNER", "-aec", peer.ae_title, peer.host, str(peer.port), str(folder)]
    began = time.monotonic()
    sent = subprocess.run(command, env=os.environ | _ENVIRONMENT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if sent.returncode:
        raise PluginError(f"storescu failed: {sent.stderr.strip().splitlines()[-1:] or sent.returncode}")
    return count / seconds


@contextmanager
def _ours(spool: Path) -> Iterator[Address]:
    """Run the service's receiver as the service does: in a process of its own, logging what it logs by default."""
    from plugin.config.settings import Settings
    from plugin.files import make_private_folder

    make_private_folder(spool)
    settings = Settings(spool=spool, port=free_port())
    address = Address(ae_title=settings.ae_title, host="127.0.0.1", port=settings.port)
    command = [sys.executable, "-m", "plugin.service.process", "receiver"]
    with (spool / "receiver.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    assert process.stdin is not None
    try:
        process.stdin.write(settings.model_dump_json().encode() + b"\n")
        process.stdin.flush()
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.stdin.close()
        process.wait(timeout=20)


@contextmanager
def _storescp(work: Path) -> Iterator[Address]:
    if shutil.which("storescp") is None:
        raise PluginError("dcmtk's storescp is not installed")
    work.mkdir(parents=True)
    address = Address(ae_title="STORESCP", host="127.0.0.1", port=free_port())
    command = ["storescp", "+xa", "--output-directory", str(work), "-aet", address.ae_title, str(address.port)]
    process = subprocess.Popen(
        command, env=os.environ | _ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def _orthanc(work: Path) -> Iterator[Address]:
    if shutil.which("Orthanc") is None and shutil.which("orthanc") is None:
        raise PluginError("Orthanc is not installed")
    with running_pacs(work) as pacs:
        yield pacs.address


def _wait_for(peer: Address, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            echo(peer, calling_ae="SCANNER")
        except DeliveryError:
            time.sleep(0.1)
        else:
            return
    raise PluginError(f"{peer.ae_title} did not start")
