"""DICOM peers on loopback: a scanner that sends, a PACS that misbehaves on request, and dcmtk's programs."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from plugin.network.entities import new_ae, send_without_delay

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody listens on, and that the system gives to no outgoing connection of other tests."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port


def wait_for(condition: Callable[[], object], *, seconds: float = 20.0, what: str = "condition") -> None:
    """Wait until a condition holds, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


def mr_image(study: str, series: str, number: int, *, name: str = "PLANTED^NAME", pixels: int = 64) -> Dataset:
    """Make a small MR image with a patient's name; complete enough to be sent, not to be reconstructed."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = MRImageStorage
    image.SOPClassUID = MRImageStorage
    image.SOPInstanceUID = generate_uid(entropy_srcs=[study, series, str(number)])
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.PatientName = name
    image.PatientID = "PLANTED-ID"
    image.Modality = "MR"
    image.StudyInstanceUID = generate_uid(entropy_srcs=[study])
    image.SeriesInstanceUID = generate_uid(entropy_srcs=[study, series])
    image.InstanceNumber = number
    image.Rows, image.Columns = 1, pixels
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.PixelData = bytes(2 * pixels)
    return image


@contextlib.contextmanager
def scanner(
    port: int, *, host: str = LOOPBACK, ae_title: str = "SCANNER", called: str = "QSM", images: Sequence[Dataset]
) -> Iterator[Association]:
    """Associate as a scanner that will send the given images."""
    ae = new_ae(ae_title)
    ae.add_requested_context(Verification)
    for sop_class in {image.SOPClassUID for image in images}:
        ae.add_requested_context(sop_class, ExplicitVRLittleEndian)
    association = ae.associate(host, port, ae_title=called, evt_handlers=[(evt.EVT_CONN_OPEN, send_without_delay)])
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def send_images(port: int, images: Sequence[Dataset], *, ae_title: str = "SCANNER") -> list[int]:
    """Send images on one association and return their statuses; an empty answer counts as -1."""
    with scanner(port, ae_title=ae_title, images=images) as association:
        assert association.is_established
        return [association.send_c_store(image).get("Status", -1) for image in images]


@dataclass
class Pacs:
    """A storage SCP that keeps what it receives, and answers as the test decides."""

    port: int
    received: list[Dataset] = field(default_factory=list)
    associations: int = 0
    answer: Callable[[int], int | None] = lambda _n: 0x0000
    """Status for the n-th request (from 1); None aborts the association."""
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def uids(self) -> list[str]:
        """Return the SOP instance UIDs that were stored."""
        return [str(image.SOPInstanceUID) for image in self.received]


@contextlib.contextmanager
def pacs(
    port: int | None = None, answer: Callable[[int], int | None] | None = None, *, host: str = LOOPBACK
) -> Iterator[Pacs]:
    """Run a storage SCP in this process."""
    peer = Pacs(port=port or free_port())
    if answer is not None:
        peer.answer = answer

    def store(event: evt.Event) -> int:
        with peer.lock:
            peer.requests += 1
            status = peer.answer(peer.requests)
            if status is None:
                event.assoc.abort()
                return 0xC000
            if status in (0x0000, 0xB000):
                image = event.dataset
                image.file_meta = event.file_meta
                peer.received.append(image)
            return status

    def accepted(_event: evt.Event) -> None:
        peer.associations += 1

    ae = new_ae("PACS")
    handlers = [
        (evt.EVT_C_STORE, store),
        (evt.EVT_ACCEPTED, accepted),
        (evt.EVT_CONN_OPEN, send_without_delay),
    ]
    ae.add_supported_context(Verification)
    server = ae.start_server((host, peer.port), block=False, evt_handlers=handlers)
    try:
        yield peer
    finally:
        server.shutdown()


def dcmtk(program: str) -> str:
    """Return the path of one of dcmtk's programs, or skip the test."""
    # pynetdicom's own apps carry the same names and may come first on the path of a virtual environment.
    folders = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
    found = next((str(Path(folder, program)) for folder in folders if Path(folder, program).exists()), None)
    found = found or shutil.which(program)
    if found is None:
        pytest.skip(f"dcmtk's {program} is not installed")
    return found


def storescu(port: int, *paths: Path, options: Sequence[str] = (), seconds: float = 120) -> None:
    """Send files, and the files in folders, on one association with dcmtk's storescu, as a scanner would."""
    command = [dcmtk("storescu"), "-aec", "QSM", "-aet", "SCANNER", *options, "+sd", "+r"]
    command += ["127.0.0.1", str(port), *map(str, paths)]
    environment = {"TCP_NODELAY": "1"}
    sent = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment, check=False)
    assert sent.returncode == 0, sent.stdout + sent.stderr


@contextlib.contextmanager
def storescp(folder: Path, port: int) -> Iterator[Path]:
    """Run dcmtk's storescp, which writes what it gets into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [dcmtk("storescp"), "-aet", "PACS", "--output-directory", str(folder), str(port)]
    process = subprocess.Popen(command, env={"TCP_NODELAY": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port), what="storescp listens")
        yield folder
    finally:
        process.terminate()
        process.wait(timeout=10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def read_folder(folder: Path) -> list[Dataset]:
    """Read every object in a folder that dcmtk's storescp has finished."""
    images = []
    for path in sorted(folder.iterdir()):
        with contextlib.suppress(pydicom.errors.InvalidDicomError, FileNotFoundError, EOFError):
            images.append(pydicom.dcmread(path))
    return images
