"""The PACS of the demonstration: Orthanc where it is installed, else a storage SCP of our own."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugin.lab.processes import free_port, running
from plugin.network.entities import Address, new_ae, send_without_delay

AE_TITLE = "PACS"


@dataclass(frozen=True, kw_only=True)
class Pacs:
    """A running PACS.

    Parameters
    ----------
    name
        For people.
    address
        Where it listens.
    url
        Of its REST interface; empty without one.
    instances
        Returns the names of the instances that have arrived.
    read
        Returns the DICOM file of an instance, by name.
    """

    name: str
    address: Address
    url: str = ""
    instances: Callable[[], list[str]]
    read: Callable[[str], bytes]

    def fetch(self, folder: Path) -> list[Path]:
        """Store all instances in a folder."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        paths = []
        for number, instance in enumerate(self.instances()):
            paths.append(folder / f"{number:04d}.dcm")
            paths[-1].write_bytes(self.read(instance))
        return paths


def orthanc_program() -> str | None:
    """Return the path of Orthanc, if it is installed."""
    return shutil.which("Orthanc") or shutil.which("orthanc")


def running_pacs(folder: Path) -> AbstractContextManager[Pacs]:
    """Run a PACS on loopback while the context lasts."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    program = orthanc_program()
    return _orthanc(program, folder) if program else _own_storage(folder)


@contextmanager
def _orthanc(program: str, folder: Path) -> Iterator[Pacs]:
    """Run Orthanc with a configuration of its own, asked through its REST interface."""
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
    url = f"http://127.0.0.1:{http_port}"
    with running([program, str(file)], folder / "orthanc.log", ready=lambda: _answers(url)):
        yield Pacs(
            name="Orthanc",
            address=Address(ae_title=AE_TITLE, host="127.0.0.1", port=dicom_port),
            url=url,
            instances=lambda: list(json.loads(_get(f"{url}/instances"))),
            read=lambda name: _get(f"{url}/instances/{name}/file"),
        )


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def _answers(url: str) -> bool:
    """Say whether the REST interface is up."""
    try:
        return bool(json.loads(_get(f"{url}/system")))
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextmanager
def _own_storage(folder: Path) -> Iterator[Pacs]:
    """Run a storage SCP in this process that keeps what it receives in a folder."""
    from pynetdicom import AllStoragePresentationContexts, evt

    def keep(event: Any) -> int:  # noqa: ANN401 - pynetdicom's event
        part = folder / f"{event.request.AffectedSOPInstanceUID}.part"
        part.write_bytes(event.encoded_dataset())
        part.rename(part.with_suffix(".dcm"))
        return 0x0000

    address = Address(ae_title=AE_TITLE, host="127.0.0.1", port=free_port())
    ae = new_ae(AE_TITLE)
    ae.supported_contexts = AllStoragePresentationContexts
    handlers = [(evt.EVT_C_STORE, keep), (evt.EVT_CONN_OPEN, send_without_delay)]
    server = ae.start_server((address.host, address.port), block=False, evt_handlers=handlers)
    try:
        yield Pacs(
            name="storage SCP (Orthanc is not installed)",
            address=address,
            instances=lambda: [path.name for path in folder.glob("*.dcm")],
            read=lambda name: (folder / name).read_bytes(),
        )
    finally:
        server.shutdown()
