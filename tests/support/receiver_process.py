"""The receiver alone, in a process of its own, on a spool that outlives it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from plugin.config.settings import Disk, Settings
from plugin.intake.index import Index, index_url
from plugin.log import uid_hash
from tests.support.loopback import free_port, scanner, wait_for


def digest_of(image: Dataset) -> str:
    """Return the digest of the data set as ``scanner`` sends it."""
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, image)
    return hashlib.sha256(stream.getvalue()).hexdigest()


@dataclass
class ReceiverProcess:
    """A receiver that is started again and again, and what it acknowledged."""

    spool: Path
    port: int = field(default_factory=free_port)
    log: Path = Path(os.devnull)
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Hash of each image's UID, and digest of its data set."""

    @property
    def settings(self) -> Settings:
        return Settings(
            spool=self.spool,
            bind="127.0.0.1",
            port=self.port,
            disk=Disk(reserve_gib=0, used_percent=100),
            log={"level": "warning", "format": "json"},
        )

    @contextlib.contextmanager
    def running(self, kill_at: int = 0) -> Iterator[subprocess.Popen[bytes]]:
        """Start it; with ``kill_at`` it may be dead before it listens. At the end it is killed."""
        command = [sys.executable, "-m", "tests.support.kill_at", "receiver", str(kill_at)]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log)
        assert process.stdin is not None
        try:
            process.stdin.write(self.settings.model_dump_json().encode() + b"\n")
            process.stdin.flush()
            wait_for(
                lambda: process.poll() is not None or self.listens(), seconds=60, what="the receiver listens or died"
            )
            yield process
        finally:
            process.kill()
            process.wait()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, images: Sequence[Dataset]) -> int:
        """Send images until the receiver is gone, note which it acknowledged, and return how many."""
        before = len(self.acknowledged)
        with contextlib.suppress(RuntimeError, AttributeError), scanner(self.port, images=images) as association:
            for image in images:
                if not association.is_established:
                    break
                if association.send_c_store(image).get("Status", -1) == 0x0000:
                    self.acknowledged[uid_hash(str(image.SOPInstanceUID))] = digest_of(image)
        return len(self.acknowledged) - before

    def check(self) -> None:
        """Check that every acknowledged image is on the disk with its bytes, and in the index."""
        index = Index(index_url(self.spool))
        try:
            indexed = {name: index.digest_of(name) for name in self.acknowledged}
        finally:
            index.close()
        assert indexed == self.acknowledged
        files = {path.stem: path for path in (self.spool / "images").glob("*/*/*.dcm")}
        on_disk = {name: digest_of(dcmread(files[name])) for name in self.acknowledged}
        assert on_disk == self.acknowledged
        assert not list((self.spool / "images").glob(".part-*"))
