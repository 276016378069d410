"""Run the demonstration: simulate a head, send it slice by slice, wait for QSM at the PACS, check it."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugin.errors import PluginError
from plugin.lab.demo.pacs import Pacs, running_pacs
from plugin.lab.processes import answers, free_port, running
from plugin.network.entities import Address
from plugin.network.send import send_files

if TYPE_CHECKING:
    from recon.lab.evaluation.judge import Judgement
    from recon.lab.simulation.scan import SimulatedScan

FETCHED = "from-pacs"
"""Folder of the images that the PACS held at the end."""
SERVICE_LOG = "service.log"
"""The service's log, in JSON."""

_SERVICE_START_SECONDS = 180.0
_QSM_SECONDS = 600.0
_POLL_SECONDS = 0.05
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How an acquisition went from the scanner through the service to the PACS.

    Parameters
    ----------
    pacs
        Name of the PACS.
    images, qsm_images
        Sent to the service, and found at the PACS.
    send_seconds
        From the first image to the last response.
    wait_seconds
        From the last response to the last QSM image at the PACS.
    report
        The service's report of the job.
    """

    pacs: str
    images: int
    qsm_images: int
    send_seconds: float
    wait_seconds: float
    report: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demonstration found.

    Parameters
    ----------
    delivery
        What was sent and what arrived.
    judgement
        The map as read back from the PACS, against the ground truth.
    picture
        PNG file.
    """

    delivery: Delivery
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
    say(f"simulating head {seed} ({case}) and writing it as {vendor} images")
    scan = simulate_case(case, seed, voxel_size_mm=voxel_size_mm)
    images = write_scan(scan.echoes, work / "scanner", vendor=vendor, study_seed=seed)
    delivery = from_scanner_to_pacs(images, scan.echoes.grid.shape[2], work, say)
    picture = output / "demo.png"
    judgement = _judge(sorted((work / FETCHED).iterdir()), scan, images, picture)
    return DemoResult(delivery=delivery, judgement=judgement, picture=picture)


def from_scanner_to_pacs(images: Sequence[Path], slices: int, work: Path, say: Say) -> Delivery:
    """Send an acquisition to a service of its own, and wait for the QSM series at a PACS.

    Parameters
    ----------
    images
        DICOM files of one acquisition, in the order in which they are sent.
    slices
        How many QSM images are expected.
    work
        Folder for spool, PACS and log; gets the QSM images in ``FETCHED``.
    say
        Told what happens.

    Raises
    ------
    PluginError
        As in :func:`run_demo`.
    """
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    say("starting the PACS and the service")
    with running_pacs(work / "pacs") as pacs, _running_service(work, pacs.address) as service:
        say(f"sending {len(images)} images")
        sent = send_files(images, service, calling_ae="SCANNER")
        acknowledged = time.monotonic()
        if sent.undelivered:
            raise PluginError(f"{len(sent.undelivered)} images were not accepted: {sent.reason}")
        say(f"all acknowledged after {sent.seconds:.1f} s; waiting for QSM at the PACS")
        waited = _wait_for_instances(pacs, slices, acknowledged, work / SERVICE_LOG)
        say(f"{slices} QSM images arrived {waited:.1f} s after the last response")
        arrived = pacs.fetch(work / FETCHED)
        report = json.loads(next((work / "spool" / "jobs").glob("*/report.json")).read_text(encoding="utf-8"))
    return Delivery(
        pacs=pacs.name,
        images=len(sent.delivered),
        qsm_images=len(arrived),
        send_seconds=sent.seconds,
        wait_seconds=waited,
        report=report,
    )


@contextmanager
def _running_service(work: Path, pacs: Address) -> Iterator[Address]:
    """Run ``qsm-plugin serve`` as a process of its own, delivering to the PACS."""
    port = free_port()
    configuration = work / "qsm-plugin.toml"
    configuration.write_text(
        f'ae_title = "QSM"\nport = {port}\nspool = "spool"\n\n'
        f'[log]\nformat = "json"\n\n'
        f'[[destinations]]\nname = "pacs"\nae_title = "{pacs.ae_title}"\nhost = "{pacs.host}"\nport = {pacs.port}\n'
        'objects = ["qsm"]\n\n[self_test]\nat_start = false\n\n[console]\nenabled = false\n'
    )
    address, log = Address(ae_title="QSM", host="127.0.0.1", port=port), work / SERVICE_LOG

    def ready() -> bool:  # the receiver answers, and the worker has warmed up
        return b'"worker.ready"' in log.read_bytes() and answers(address)

    command = [sys.executable, "-m", "plugin", "serve", "--config", str(configuration)]
    with running(command, log, ready=ready, seconds=_SERVICE_START_SECONDS):
        yield address


def _wait_for_instances(pacs: Pacs, expected: int, since: float, log: Path) -> float:
    """Wait for the QSM images at the PACS and return the seconds since the last response."""
    while len(pacs.instances()) < expected:
        if time.monotonic() - since > _QSM_SECONDS:
            raise PluginError(f"no QSM series at the PACS after {_QSM_SECONDS:.0f} s; the service's log is {log}")
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - since


def _judge(arrived: list[Path], scan: SimulatedScan, images: tuple[Path, ...], picture: Path) -> Judgement:
    """Compare what the PACS holds with the ground truth, and draw it."""
    from dicom_io.source.folder import find_acquisitions
    from dicom_io.source.read import read_acquisition
    from plugin.lab.read_series import read_qsm_ppb
    from recon.engines.deepbet import segment
    from recon.field.total import total_field
    from recon.lab.evaluation.judge import judge
    from recon.lab.pictures.demo import draw_demo

    chi_ppm = read_qsm_ppb(arrived) / 1000.0
    acquisition = find_acquisitions(images[0].parent).acquisitions[0]
    measured = read_acquisition(acquisition)
    draw_demo(measured, total_field(measured, segment=segment), chi_ppm, scan, picture)
    return judge(chi_ppm, scan.chi_ppm, scan.brain, scan.label)
