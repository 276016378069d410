"""Run the demonstration: simulate a head, send it slice by slice, wait for QSM at the PACS, check it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugin.errors import PluginError
from plugin.lab.demo.pacs import Pacs, free_port, running_pacs
from plugin.network.entities import Address
from plugin.network.send import echo, send_files

if TYPE_CHECKING:
    from recon.lab.evaluation.judge import Judgement
    from recon.lab.simulation.scan import SimulatedScan

_SERVICE_START_SECONDS = 180.0
_QSM_SECONDS = 240.0
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demonstration found.

    Parameters
    ----------
    pacs
        Name of the PACS.
    images
        Images that the service received.
    send_seconds
        From the first to the last image's response.
    wait_seconds
        From the last image's response to the last QSM image at the PACS.
    qsm_images
        QSM images at the PACS.
    report
        The service's report of the job.
    judgement
        The map as read back from the PACS, against the truth.
    picture
        PNG file.
    """

    pacs: str
    images: int
    send_seconds: float
    wait_seconds: float
    qsm_images: int
    report: dict[str, Any]
    judgement: Judgement
    picture: Path


def run_demo(output: Path, *, vendor: str, case: str, seed: int, voxel_size_mm: float | None, say: Say) -> DemoResult:
    """Run scanner, service and PACS on this machine and judge the map that arrives.

    Parameters
    ----------
    output
        Folder for everything; what an earlier demonstration left there is replaced.
    vendor, case, seed, voxel_size_mm
        As in ``qsm-plugin simulate``.
    say
        Told what happens.

    Raises
    ------
    PluginError
        The service or the PACS does not start, an image is not accepted, or no QSM series arrives.
    """
    from dicom_io.synthetic import write_scan
    from recon.lab.simulation.scan import simulate_case

    work = output / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, mode=0o700)
    say(f"simulating head {seed} ({case}) and writing it as {vendor} images")
    scan = simulate_case(case, seed, voxel_size_mm=voxel_size_mm)
    images = write_scan(scan.echoes, work / "scanner", vendor=vendor, study_seed=seed)
    say("starting the PACS and the service")
    with running_pacs(work / "pacs") as pacs, running_service(work, pacs.address) as service:
        say(f"sending {len(images)} images, slice by slice")
        sent = send_files(images, service, calling_ae="SCANNER")
        acknowledged = time.monotonic()
        if sent.undelivered:
            raise PluginError(f"{len(sent.undelivered)} images were not accepted: {sent.reason}")
        say(f"all acknowledged after {sent.seconds:.1f} s; waiting for QSM at the PACS")
        expected = scan.echoes.grid.shape[2]
        waited = _wait_for_instances(pacs, expected, acknowledged, work / "service.log")
        say(f"{expected} QSM images arrived {waited:.1f} s after the last image; checking them")
        arrived = pacs.fetch(work / "from-pacs")
    report = json.loads(next((work / "spool" / "jobs").glob("*/report.json")).read_text())
    picture = output / "demo.png"
    judgement = _judge(arrived, scan, images, picture)
    return DemoResult(
        pacs=pacs.name,
        images=len(sent.delivered),
        send_seconds=sent.seconds,
        wait_seconds=waited,
        qsm_images=len(arrived),
        report=report,
        judgement=judgement,
        picture=picture,
    )


@contextmanager
def running_service(work: Path, pacs: Address) -> Iterator[Address]:
    """Run ``qsm-plugin serve`` as a process of its own, delivering to the PACS."""
    port = free_port()
    configuration = work / "qsm-plugin.toml"
    configuration.write_text(
        f'ae_title = "QSM"\nport = {port}\nspool = "spool"\n\n'
        f'[log]\nformat = "json"\n\n'
        f'[[destinations]]\nname = "pacs"\nae_title = "{pacs.ae_title}"\nhost = "{pacs.host}"\nport = {pacs.port}\n'
        'objects = ["qsm"]\n'
    )
    command = [sys.executable, "-m", "plugin", "serve", "--config", str(configuration)]
    log_file = work / "service.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        address = Address(ae_title="QSM", host="127.0.0.1", port=port)
        _wait_until_ready(process, address, log_file)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _wait_until_ready(process: subprocess.Popen[bytes], address: Address, log: Path) -> None:
    """Wait until the receiver answers and the worker has warmed up."""
    deadline = time.monotonic() + _SERVICE_START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PluginError(f"the service ended while starting; its log is {log}")
        if b'"worker.ready"' in log.read_bytes():
            echo(address, calling_ae="SCANNER")
            return
        time.sleep(0.2)
    raise PluginError(f"the service was not ready within {_SERVICE_START_SECONDS:.0f} s; its log is {log}")


def _wait_for_instances(pacs: Pacs, expected: int, since: float, log: Path) -> float:
    """Wait for the QSM images at the PACS and return the seconds since the last source image."""
    while len(pacs.instances()) < expected:
        if time.monotonic() - since > _QSM_SECONDS:
            raise PluginError(f"no QSM series at the PACS after {_QSM_SECONDS:.0f} s; the service's log is {log}")
        time.sleep(0.1)
    return time.monotonic() - since


def _judge(arrived: list[Path], scan: SimulatedScan, images: tuple[Path, ...], picture: Path) -> Judgement:
    """Compare what the PACS holds with the truth, and draw it."""
    from dicom_io.derived.read_series import read_qsm_ppb
    from dicom_io.source.folder import find_acquisitions
    from dicom_io.source.read import read_acquisition
    from recon.engines.deepbet import segment
    from recon.field.total import total_field
    from recon.lab.evaluation.judge import judge
    from recon.lab.pictures.demo import draw_demo

    chi_ppm = read_qsm_ppb(arrived) / 1000.0
    acquisition = find_acquisitions(images[0].parent).acquisitions[0]
    measured = read_acquisition(acquisition)
    draw_demo(measured, total_field(measured, segment=segment), chi_ppm, scan, picture)
    return judge(chi_ppm, scan.chi_ppm, scan.brain, scan.label)
