"""A spool as a service leaves it behind, for the console: series in every state, and as many as are wanted."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from plugin.config.service_settings import Console
from plugin.config.settings import Destination, Settings
from plugin.files import make_private_folder, write_private_json
from plugin.intake.completion import State
from plugin.intake.database.protocols import ProtocolRow
from plugin.intake.database.submitted import JobRow
from plugin.intake.index import AcquisitionRow, ImageRow, existing_index
from plugin.intake.spool import Spool
from plugin.jobs.delivery.deliveries import Attempt
from plugin.jobs.queue import delivery_name, prepare_database
from plugin.log import uid_hash
from plugin.service.process import ENGINES_FILE, PROCESSES_FILE
from plugin.service.selftest import RESULT_FILE
from tests.support.job_rows import add_job

SCRIPT = "<script>alert('planted')</script>"
"""Planted in patient names and descriptions."""

JUDGED = (
    ("magnitude and phase", "fine", "5 of 5 echoes with magnitude and phase"),
    ("unfiltered phase", "must change", "marked FM"),
    ("field strength", "fine", "3 T"),
    ("readout", "costs accuracy", "bipolar"),
    ("interpolation", "costs accuracy", "2-fold"),
    ("partial Fourier", "not stated", "not stated"),
    ("a recommendation of a later version", "fine", "fine"),
)
"""How a protocol was judged."""

_JOBS_NOTED = 40
_IMAGES = 5
_STEPS = (("read", 3.1), ("reconstruct", 14.8), ("write", 1.2), ("others", 4.0))


@dataclass
class Case:
    """A series to be: its state in the index, and the statuses of its job and of its deliveries."""

    name: str
    state: State = State.QUEUED
    job: str = "SUCCESS"
    deliveries: dict[str, str] = field(default_factory=lambda: {"pacs": "SUCCESS", "viewer": "SUCCESS"})
    steps: int = len(_STEPS)
    verdict: str = "ok"
    code: str = ""
    reason: str = ""
    missing: tuple[str, ...] = ()
    study: str = "Brain with and without contrast"
    protocol: str = "t2s_qsm_gre_5echo_tra_p2"
    patient: str = "Doe^Jane"
    judged: tuple[tuple[str, str, str], ...] | None = JUDGED

    @property
    def acquisition(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()

    @property
    def address(self) -> str:
        """What the console calls it in addresses."""
        return self.acquisition[:16]

    @property
    def job_name(self) -> str:
        return f"{self.address}-{self.acquisition[-8:]}"


DEAD = "31 objects are not at viewer: the peer rejects the association: calling AE title not recognised"
NO_PHASE = (
    "The series holds magnitude images alone; susceptibility is worked out from the phase. "
    "Switch on the phase reconstruction on the scanner and send magnitude and phase."
)
CASES = (
    Case("receiving", state=State.COLLECTING, judged=None),
    Case("running", job="PENDING", deliveries={}, steps=1, verdict=""),
    Case("queued", job="ENQUEUED", deliveries={}, steps=0, verdict=""),
    Case("delivering", deliveries={"pacs": "SUCCESS", "viewer": "DELAYED"}),
    Case("dead", deliveries={"pacs": "SUCCESS", "viewer": "ERROR"}, reason=DEAD),
    Case("degraded", verdict="degraded", judged=None),
    Case("failed", job="ERROR", deliveries={}, verdict="", reason="The echoes contradict each other beyond noise."),
    Case("no-phase", state=State.REFUSED, code="no-phase", reason=NO_PHASE, missing=("phase of every echo",)),
    Case("incomplete", state=State.INCOMPLETE, code="missing-slices", reason="images are missing; send them again"),
    Case(
        "ignored",
        state=State.IGNORED,
        code="not-ours",
        reason="the rule 'localizers' of the configuration says so",
        judged=(),
    ),
    Case("long", study=f"{'VeryLongStudyDescription' * 9}", protocol="p" * 64),
    Case("script", study=SCRIPT, protocol=SCRIPT[:60], patient=f"{SCRIPT}^Eve"),
    *(Case(f"done-{number}") for number in range(8)),
)
"""One series in each state."""


def cases_by_name() -> dict[str, Case]:
    return {case.name: case for case in CASES}


def settings_of(spool: Path, **console: object) -> Settings:
    two = [Destination(name=name, ae_title=name.upper(), host="127.0.0.1", port=1) for name in ("pacs", "viewer")]
    return Settings(spool=spool, destinations=tuple(two), console=Console(**console))


def make_site(spool: Path, cases: Iterable[Case] = CASES, **console: object) -> Settings:
    """Fill a spool."""
    settings = settings_of(spool, **console)
    make_private_folder(spool)
    Spool(spool).index.close()
    prepare_database(settings)
    add_job(settings, "template")
    _fill(settings, list(cases))
    _report_service(settings)
    return settings


def _fill(settings: Settings, cases: list[Case]) -> None:
    now = time.time()
    with closing(existing_index(settings)) as index:
        index.open_association("a", "MR1", "10.0.0.11", now - 300)
        index.end_association("a", "released", now - 200)
        for number, case in enumerate(cases):
            images = [_image(settings.spool, case, one, now - 120 - 60 * number) for one in range(_IMAGES)]
            index.add_images(images)
            index.save_acquisitions(images[0].study, [_row(case, images, now - 100 - 60 * number)])
            if case.judged is not None:
                row = ProtocolRow(
                    acquisition=case.acquisition, study=images[0].study, vendor="siemens", judged=case.judged
                )
                index.save_protocol(row)
        for case in cases[:_JOBS_NOTED]:
            if case.state is State.QUEUED:
                job = JobRow(job=case.job_name, study="", images=frozenset(), numbers=frozenset())
                index.add_job(job)
    for case in cases:
        if case.verdict:
            write_private_json(report_of(case), settings.spool / "jobs" / case.job_name / "report.json")
    run = [(case, int(1000 * (now - 100 - 60 * n))) for n, case in enumerate(cases) if case.state is State.QUEUED]
    with closing(sqlite3.connect(settings.spool / "jobs.sqlite")) as database, database:
        database.row_factory = sqlite3.Row
        found = database.execute("SELECT * FROM workflow_status ORDER BY workflow_uuid").fetchall()
        job, delivery = (dict(row) for row in (found[0], found[-1]))
        for table in ("workflow_status", "workflow_input"):
            database.execute(f"DELETE FROM {table}")
        jobs = [_workflow(job, case.job_name, case.job, at, case.reason) for case, at in run]
        _insert(database, "workflow_status", jobs)
        _insert(database, "workflow_status", [one for case, at in run for one in _sent(delivery, case, at)])
        _insert(database, "workflow_input", [one for case, at in run for one in _inputs(case, at)])
        _insert(database, "operation_outputs", [one for case, at in run for one in _steps(case, at)])


def _insert(database: sqlite3.Connection, table: str, rows: list[dict]) -> None:
    if not rows:
        return
    names = list(rows[0])
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)})"
    database.executemany(statement, [list(row.values()) for row in rows])


def _workflow(template: dict, name: str, status: str, at: int, reason: str) -> dict:
    waits = {"waits": "away", "reason": "viewer does not answer: connection refused", "queued_at": at / 1000}
    return template | {
        "workflow_uuid": name,
        "status": status,
        "created_at": at,
        "updated_at": at + 1200,
        "started_at_epoch_ms": at,
        "error": json.dumps({"job-failed": ["delivery-failed", reason]}) if status == "ERROR" else None,
        "delay_until_epoch_ms": at + 3_600_000 if status == "DELAYED" else None,
        "attributes": json.dumps(waits) if status == "DELAYED" else template["attributes"],
    }


def _sent(template: dict, case: Case, at: int) -> Iterator[dict]:
    for destination, status in case.deliveries.items():
        name = delivery_name(case.job_name, destination, "qsm")
        yield _workflow(template, name, status, at + 25_000, case.reason) | {"queue_partition_key": destination}


def _inputs(case: Case, at: int) -> Iterator[dict]:
    for destination in case.deliveries:
        attempt = Attempt(job=case.job_name, destination=destination, part="qsm", names=["a"], queued_at=at / 1000)
        inputs = json.dumps({"args": [asdict(attempt)], "kwargs": {}})
        yield {"workflow_uuid": attempt.delivery, "inputs": inputs, "retention_timestamp": at}
    inputs = json.dumps({"args": [case.job_name], "kwargs": {}})
    yield {"workflow_uuid": case.job_name, "inputs": inputs, "retention_timestamp": at}


def _steps(case: Case, at: int) -> Iterator[dict]:
    for place, (step, seconds) in enumerate(_STEPS[: case.steps], start=1):
        began, at = at, at + int(1000 * seconds)
        times = {"started_at_epoch_ms": began, "completed_at_epoch_ms": at, "serialization": "qsm_plugin_json"}
        yield {"workflow_uuid": case.job_name, "function_id": place, "function_name": step, "output": "0.0", **times}


def _image(spool: Path, case: Case, number: int, at: float) -> ImageRow:
    study, series, image = (uid_hash(f"1.2.{case.name}.{one}") for one in ("", "1", f"1.{number}"))
    row = ImageRow(
        image=image, series=series, study=study, digest=f"{number:064}", association="a", received_at=at + number
    )
    if image == min(uid_hash(f"1.2.{case.name}.1.{one}") for one in range(_IMAGES)):  # the one that describes them
        _write(spool / row.path, case)
    return row


def _write(path: Path, case: Case) -> None:
    head = Dataset()
    head.file_meta = FileMetaDataset()
    head.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    head.file_meta.MediaStorageSOPClassUID = head.SOPClassUID = MRImageStorage
    head.file_meta.MediaStorageSOPInstanceUID = head.SOPInstanceUID = "1.2.3"
    head.StudyDescription, head.SeriesDescription, head.ProtocolName = case.study[:64], case.protocol, case.protocol
    head.Manufacturer, head.ManufacturerModelName, head.MagneticFieldStrength = "Siemens Healthineers", "Prisma", 3.0
    head.PatientName, head.PatientID, head.StudyDate, head.SeriesNumber = case.patient, "PID-0042", "20250304", 7
    path.parent.mkdir(parents=True, exist_ok=True)
    head.save_as(path, enforce_file_format=True)


def _row(case: Case, images: list[ImageRow], at: float) -> AcquisitionRow:
    queued = case.state is State.QUEUED
    return AcquisitionRow(
        acquisition=case.acquisition,
        study=images[0].study,
        state=case.state,
        images=len(images),
        changed_at=at,
        code=case.code,
        reason="" if queued else case.reason,
        missing=case.missing,
        job=case.job_name if queued else "",
        series=(images[0].series,),
        evidence="full grid, as many as the scanner counts; association released" if queued else "",
        rules=("qsm: fits: reconstruct",),
    )


def report_of(case: Case) -> dict:
    """Return a report as ``plugin.jobs.report`` writes it."""
    reasons = ["The map explains 71 % of the field; 80 % are expected."] if case.verdict == "degraded" else []
    return {
        "acquisition": case.acquisition,
        "verdict": {"level": case.verdict, "reasons": reasons},
        "expected_error": {"brain_ppb": 24.0, "bound_ppb": 35.0, "nuclei_ppb": {"pallidum": 11.2, "putamen": 9.4}},
        "figures": {
            "data_residual_rms_ppb": 1.19,
            "chi_sd_ppb": 20.99,
            "mask_volume_ml": 1514.754,
            "field_noise_median_ppm": 0.00127,
            "phase_quality_below_half_percent": 8.317,
        },
        "warnings": ["Slices have phase offsets of their own, which were removed: steps of up to 2.6 rad."],
        "seconds": {"read": 3.1, "total field": 9.9, "inversion": 4.2, "quality": 0.4, "write": 1.2},
        "provenance": {
            "software": "qsm-plugin 0.1.0",
            "method": "network",
            "engine": "openvino bf16 CPU",
            "engine_choice": "auto, openvino (tensorrt: no NVIDIA GPU on this machine)",
            "weights_sha256": "283b91a625a8b638addd7e776350148aad0312daf96289602ace1b573dc88e5a",
            "parameters": {"b0_tesla": 3.0, "echo_times_ms": "6.0, 12.0, 18.0, 24.0, 30.0"},
        },
        "series": [{"object": "qsm", "series_number": 701, "description": "QSM chi ppb [S7] RESEARCH", "files": ["a"]}],
        "not_made": {},
        "files": ["a"],
    }


def _report_service(settings: Settings) -> None:
    roles = ("receiver", "assembler", "worker", "deliverer", "monitor", "console")
    states = [{"role": role, "running": True, "pid": 1, "deaths": int(role == "worker")} for role in roles]
    write_private_json({"at": time.time(), "processes": states}, settings.spool / PROCESSES_FILE)
    engines = [
        {"name": "tensorrt-rtx", "state": "absent", "reason": "no NVIDIA GPU on this machine"},
        {"name": "openvino", "state": "ready", "reason": "bf16 on the CPU; equal to the reference to 0.4 ppb"},
    ]
    write_private_json(engines, settings.spool / ENGINES_FILE)
    passed = "the sphere measures 843 ppb; its true value is 1000, accepted are 700 to 1200"
    result = {"passed": True, "reason": passed, "seconds": 41.5, "study": "s", "at": time.time() - 3600}
    write_private_json({**result, "measured_ppb": 843.0, "expected_ppb": 1000.0}, settings.spool / RESULT_FILE)


def measure(count: int, folder: Path) -> None:
    """Print the milliseconds that pages take with so many series; a folder that was filled before is used again."""
    from tests.support.console_client import signed_in

    cases = [*CASES, *(Case(f"more-{number}") for number in range(count - len(CASES)))]
    filled = (folder / "spool").exists()
    settings = settings_of(folder / "spool") if filled else make_site(folder / "spool", cases)
    browser = signed_in(settings, "administrator")
    middle = cases[count // 2].address
    for path in ("/series", f"/series?page={count // 50}", "/series?view=attention", "/series?q=phase",
                 f"/series/{middle}", "/protocol", "/destinations", "/system", "/log", "/users"):  # fmt: skip
        took, used = [], []
        for _ in range(5):
            began, used_before = time.perf_counter(), time.process_time()
            answer = browser.get(path)
            took.append(time.perf_counter() - began)
            used.append(time.process_time() - used_before)
            assert answer.status_code == 200, answer.text
        medians = (1000 * statistics.median(values) for values in (took, used))
        print("{:34} first {:5.0f} ms, median {:5.0f} ms, of the CPU {:5.0f} ms".format(path, 1000 * took[0], *medians))


if __name__ == "__main__":
    measure(int(sys.argv[1]), Path(sys.argv[2]))
