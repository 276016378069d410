"""The self-test: a phantom is sent to the service as a scanner would, and its map comes back to a storage SCP here.

So it goes through the real port, spool, assembler, engine, writer and deliverer; the map is compared with the truth.
Its images never reach a destination of the site, and are removed afterwards.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage
from pynetdicom import evt

from dicom_io.synthetic import write_scan
from dicom_io.synthetic.sphere import GRID, measure_sphere, sphere_echoes
from plugin.config.self_test import SELF_TEST, SELF_TEST_AE, own_host
from plugin.config.settings import Settings
from plugin.files import write_private_json
from plugin.jobs.delivery.deliveries import SELF_TEST_FILE
from plugin.log import get_logger, uid_hash
from plugin.network.entities import Address, new_ae, send_without_delay
from plugin.network.send import send_files

RESULT_FILE = "self-test.json"
"""In the spool: how the last self-test ended."""

REQUEST_FILE = "self-test.request"
"""In the spool: somebody wants a self-test now."""

_ACCEPTED_RATIO = (0.7, 1.2)
"""Measured against true susceptibility of the sphere; the engines and methods lie between 0.75 and 0.95."""


@dataclass(frozen=True, kw_only=True)
class SelfTestResult:
    """How a self-test ended; ``study`` is the hash of the study that it sent."""

    passed: bool
    reason: str
    seconds: float
    study: str
    measured_ppb: float | None = None
    expected_ppb: float | None = None
    at: float = field(default_factory=time.time)


def run_self_test(settings: Settings, stopping: threading.Event) -> SelfTestResult:
    """Send the phantom to the running service, wait for its map, and keep the result in the spool."""
    began = time.monotonic()
    received: list[Dataset] = []
    with TemporaryDirectory(dir=settings.spool, prefix=SELF_TEST) as folder, _loopback(settings, received):
        paths = write_scan(
            sphere_echoes(), Path(folder), vendor="siemens", study_seed=time.time_ns(), patient_name="QSM^SELFTEST"
        )
        study = uid_hash(str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID))
        service = Address(ae_title=settings.ae_title, host=own_host(settings), port=settings.port, tls=settings.tls)
        sent = send_files(paths, service, calling_ae=SELF_TEST_AE)
        if not sent.undelivered:
            _wait_for_map(settings, received, stopping)
    passed, reason, measured, expected = _judge(sent.reason, received)
    result = SelfTestResult(
        passed=passed,
        reason=reason,
        seconds=round(time.monotonic() - began, 1),
        study=study,
        measured_ppb=measured,
        expected_ppb=expected,
    )
    write_private_json(asdict(result), settings.spool / RESULT_FILE)
    log = get_logger().info if passed else get_logger().error
    log("self_test.passed" if passed else "self_test.failed", reason=reason, seconds=result.seconds)
    return result


def last_result(spool: Path) -> SelfTestResult | None:
    """Return how the last self-test ended, if there was one."""
    try:
        return SelfTestResult(**json.loads((spool / RESULT_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _judge(undelivered: str, received: list[Dataset]) -> tuple[bool, str, float | None, float | None]:
    """Say whether what came back is right, why, and what was measured and expected."""
    maps = [image for image in received if image.SOPClassUID == MRImageStorage]
    if undelivered:
        return False, f"the phantom could not be sent: {undelivered}", None, None
    if len(maps) < GRID.shape[2]:
        others = "; a page says that no map was made" if len(received) > len(maps) else ""
        return False, f"{len(maps)} of {GRID.shape[2]} images of the map came back in time{others}", None, None
    found = measure_sphere(maps)
    measured, expected = round(found.measured_ppb, 1), found.expected_ppb
    low, high = (round(ratio * expected) for ratio in _ACCEPTED_RATIO)
    sentence = f"the sphere measures {measured:.0f} ppb; its true value is {expected:.0f}, accepted are {low} to {high}"
    return low <= measured <= high, sentence, measured, expected


def _wait_for_map(settings: Settings, received: list[Dataset], stopping: threading.Event) -> None:
    """Wait until the map is here, or something in its place."""
    deadline = time.monotonic() + 60 * settings.self_test.limit_minutes
    while len(received) < GRID.shape[2] and time.monotonic() < deadline and not stopping.wait(0.5):
        if any(image.SOPClassUID != MRImageStorage for image in list(received)):
            return


@contextmanager
def _loopback(settings: Settings, received: list[Dataset]) -> Iterator[None]:
    """Run a storage SCP on this machine's loop-back address, and tell the deliverer where it listens."""

    def store(event: evt.Event) -> int:
        image = event.dataset
        image.file_meta = event.file_meta
        received.append(image)
        return 0x0000

    ae = new_ae(SELF_TEST_AE)
    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_CONN_OPEN, send_without_delay)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    place = settings.spool / SELF_TEST_FILE
    try:
        write_private_json({"port": server.server_address[1]}, place)
        yield
    finally:
        place.unlink(missing_ok=True)
        server.shutdown()


def sweep(spool: Path) -> None:
    """Remove what a self-test that was cut off left behind."""
    (spool / SELF_TEST_FILE).unlink(missing_ok=True)
    for folder in spool.glob(f"{SELF_TEST}*"):
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
