"""The PACS of the demonstration: Orthanc where it is installed, else a storage SCP of our own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from plugin.errors import PluginError
from plugin.network.entities import Address, new_ae, send_without_delay

AE_TITLE = "PACS"
_START_SECONDS = 30.0


class Pacs(Protocol):
    """What the demonstration asks of a PACS."""

    name: str
    address: Address

    def instances(self) -> list[str]:
        """Return the names of the instances that have arrived."""
        ...

    def fetch(self, folder: Path) -> list[Path]:
        """Store all instances in a folder."""
        ...


def free_port() -> int:
    """Ask the system for a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_pacs(folder: Path) -> Iterator[Pacs]:
    """Run a PACS on loopback while the context lasts."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    program = shutil.which("Orthanc") or shutil.which("orthanc")
    with _orthanc(program, folder) if program else _own_storage(folder) as pacs:
        yield pacs


class OrthancPacs:
    """A running Orthanc, asked through its REST interface."""

    name = "Orthanc"

    def __init__(self, dicom_port: int, http_port: int) -> None:
        self.address = Address(ae_title=AE_TITLE, host="127.0.0.1", port=dicom_port)
        self.url = f"http://127.0.0.1:{http_port}"

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return bytes(answer.read())

    def answers(self) -> bool:
        """Say whether the REST interface is up."""
        try:
            return bool(json.loads(self._get("/system")))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def instances(self) -> list[str]:
        """See :class:`Pacs`."""
        found: list[str] = json.loads(self._get("/instances"))
        return found

    def fetch(self, folder: Path) -> list[Path]:
        """See :class:`Pacs`."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        paths = []
        for number, instance in enumerate(self.instances()):
            path = folder / f"{number:04d}.dcm"
            path.write_bytes(self._get(f"/instances/{instance}/file"))
            paths.append(path)
        return paths


@contextmanager
def _orthanc(program: str, folder: Path) -> Iterator[OrthancPacs]:
    """Run Orthanc with a configuration of its own."""
    dicom_port, http_port = free_port(), free_port()
    configuration: dict[str, Any] = {
        "Name": "QSM demonstration",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomAet": AE_TITLE,
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomCheckCalledAet": False,
        "Plugins": [],
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(configuration, indent=2))
    # Without TCP_NODELAY, DCMTK's sockets wait 40 ms for every image's acknowledgement.
    environment = os.environ | {"TCP_NODELAY": "1"}
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(file)], stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        pacs = OrthancPacs(dicom_port, http_port)
        deadline = time.monotonic() + _START_SECONDS
        while not pacs.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise PluginError(f"Orthanc did not start; its log is {folder / 'orthanc.log'}")
            time.sleep(0.1)
        yield pacs
    finally:
        process.terminate()
        process.wait(timeout=20)


class OwnStorage:
    """A storage SCP of our own that keeps what it receives in a folder."""

    name = "storage SCP (Orthanc is not installed)"

    def __init__(self, port: int, folder: Path) -> None:
        self.address = Address(ae_title=AE_TITLE, host="127.0.0.1", port=port)
        self._folder = folder

    def instances(self) -> list[str]:
        """See :class:`Pacs`."""
        return [path.name for path in self._folder.glob("*.dcm")]

    def fetch(self, folder: Path) -> list[Path]:
        """See :class:`Pacs`."""
        shutil.copytree(self._folder, folder, dirs_exist_ok=True)
        return sorted(folder.glob("*.dcm"))


@contextmanager
def _own_storage(folder: Path) -> Iterator[OwnStorage]:
    """Run a storage SCP in this process."""
    from pynetdicom import AllStoragePresentationContexts, evt

    def keep(event: Any) -> int:  # noqa: ANN401 - pynetdicom's event
        part = folder / f"{event.request.AffectedSOPInstanceUID}.part"
        part.write_bytes(event.encoded_dataset())
        part.rename(part.with_suffix(".dcm"))
        return 0x0000

    port = free_port()
    ae = new_ae(AE_TITLE)
    ae.supported_contexts = AllStoragePresentationContexts
    handlers = [(evt.EVT_C_STORE, keep), (evt.EVT_CONN_OPEN, send_without_delay)]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield OwnStorage(port, folder)
    finally:
        server.shutdown()
