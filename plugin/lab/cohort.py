"""Run the study of patients: each from DICOM to DICOM as the service does it, and by the published peers.

Each patient's rows are kept in a file of their own, so that a study that was interrupted is resumed, and several
processes can share one.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recon.lab.evaluation.cohort import NETWORK, CohortRow, judge_patient
from recon.lab.evaluation.store import made_by
from recon.lab.simulation.draw.seeds import Purpose

if TYPE_CHECKING:
    from recon.lab.simulation.scan import SimulatedScan
    from recon.types import FloatArray, Reconstruction

Say = Callable[[str], None]
_VENDORS = ("siemens", "ge", "philips")


@dataclass(frozen=True, kw_only=True)
class Study:
    """Where a study is kept, and how it is made.

    Parameters
    ----------
    folder
        Holds ``patients/NNN.json``.
    engine
        Inference engine of the network.
    purpose
        What its patients are for: evaluation, or tuning.
    """

    folder: Path
    engine: str = "auto"
    purpose: Purpose = Purpose.EVALUATION


def run_cohort(patients: Iterable[int], methods: Sequence[str], study: Study, say: Say) -> Iterator[CohortRow]:
    """Judge methods on patients; rows that this code and these weights made before are kept.

    Parameters
    ----------
    patients
        Numbers of the patients.
    methods
        Keys of :data:`recon.options.METHODS`.
    study
        Where rows are kept, and the engine.
    say
        Told what is being done.
    """
    (study.folder / "patients").mkdir(parents=True, exist_ok=True)
    for patient in patients:
        known = read_rows(study.folder, patient)
        wanted = {method: row_made_by(method, study) for method in methods}
        missing = [m for m in methods if m not in known or known[m].made_by != wanted[m]]
        if missing:
            for row in _judge(patient, missing, wanted, study, say):
                known[row.method] = row
                _write_rows(study.folder, patient, known)
        yield from (known[method] for method in methods)


def row_made_by(method: str, study: Study) -> str:
    """Return what a row must have been made by to be kept."""
    return f"{study.purpose.name.lower()} patients, {made_by(method)}"


def present_rows(study: Study) -> tuple[list[CohortRow], int]:
    """Return the kept rows that this code and these weights made, and how many others lie beside them."""
    stored = sorted(int(path.stem) for path in (study.folder / "patients").glob("*.json"))
    rows = [row for patient in stored for row in read_rows(study.folder, patient).values()]
    present = [row for row in rows if row.made_by == row_made_by(row.method, study)]
    return present, len(rows) - len(present)


def read_rows(folder: Path, patient: int) -> dict[str, CohortRow]:
    """Return the kept rows of a patient by method, whatever made them."""
    path = _file(folder, patient)
    rows = json.loads(path.read_text()) if path.exists() else []
    return {values["method"]: CohortRow(**{**values, **_tuples(values)}) for values in rows}


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(values[name]) for name in ("sign_errors", "failures")}


def _file(folder: Path, patient: int) -> Path:
    return folder / "patients" / f"{patient:03d}.json"


def _write_rows(folder: Path, patient: int, rows: dict[str, CohortRow]) -> None:
    path = _file(folder, patient)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps([asdict(row) for row in rows.values()], indent=2))
    partial.replace(path)


def _judge(patient: int, methods: Sequence[str], makers: dict[str, str], study: Study, say: Say) -> Iterator[CohortRow]:
    """Simulate a patient, reconstruct it from images to images, and let the peers invert the same total field."""
    from recon.lab.simulation.draw.patients import draw_patient
    from recon.lab.simulation.scan import simulate_scan

    say(f"patient {patient}: simulating")
    scan = simulate_scan(draw_patient(patient, study.purpose))
    work, began = study.folder / f"work-{patient:03d}", time.perf_counter()
    say(f"patient {patient}: images to images by {NETWORK}")
    try:
        result, chi, seconds = from_images_to_images(scan, work, patient, study.engine)
    except Exception as error:
        # An error with one patient is a failure of the method, not the end of the study.
        say(f"patient {patient}: {type(error).__name__}: {error}")
        took = time.perf_counter() - began
        for method in methods:
            blank = CohortRow(patient=patient, method=method, made_by=makers[method], seconds=took)
            yield replace(blank, failures=(str(error),))
        return
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for method in methods:
        if method != NETWORK:
            say(f"patient {patient}: {method}")
            chi, seconds = _by_peer(method, result)
        blank = CohortRow(patient=patient, method=method, made_by=makers[method], seconds=seconds)
        yield judge_patient(scan, chi, blank, withheld=_withheld(result) if method == NETWORK else "")


def _withheld(result: Reconstruction) -> str:
    """Say why the service would not deliver the network's map; nothing if it would."""
    if result.provenance.method != NETWORK:
        return f"the map failed its quality check and {result.provenance.method} took over"
    return " ".join(result.verdict.reasons) if result.verdict.level == "failed" else ""


def _by_peer(method: str, result: Reconstruction) -> tuple[FloatArray, float]:
    """Invert the total field of a result by a published method; return map and seconds."""
    from recon.inversion.methods import find_method

    began = time.perf_counter()
    total = result.total_field
    chi = find_method(method)(total, "auto").chi_ppm
    return np.where(total.mask, chi, np.float32(0)), time.perf_counter() - began


def from_images_to_images(
    scan: SimulatedScan, work: Path, patient: int, engine: str
) -> tuple[Reconstruction, FloatArray, float]:
    """Write a scan as a scanner's images, reconstruct them, and read the derived series back.

    Returns
    -------
    Reconstruction, ndarray, float
        The result, the map in ppm ``(x, y, z)`` as its DICOM objects hold it, and the seconds from images to images.
    """
    from datetime import UTC, datetime

    from dicom_io.derived.context.source_series import Sources, SourceSeries
    from dicom_io.derived.mr import write_images
    from dicom_io.derived.products import PRODUCTS, QSM
    from dicom_io.derived.read_series import read_qsm_ppb
    from dicom_io.source.folder import find_acquisitions
    from dicom_io.source.read import read_acquisition
    from dicom_io.synthetic import write_scan
    from recon.options import Options
    from recon.pipeline import reconstruct

    write_scan(scan.echoes, work / "scanner", vendor=_VENDORS[patient % len(_VENDORS)], study_seed=patient)
    began = time.perf_counter()
    (acquisition,) = find_acquisitions(work / "scanner").acquisitions
    result = reconstruct(read_acquisition(acquisition), options=Options(method=NETWORK, engine=engine))
    series = SourceSeries.of(acquisition, created=datetime.now(UTC))
    sources = Sources(reconstruction=result, series=series, profile="pacs16")
    (written,) = write_images(PRODUCTS[QSM], None, sources, work / QSM)
    seconds = time.perf_counter() - began
    return result, read_qsm_ppb(written.paths) / np.float32(1000), seconds
