"""The middle of the product on one screen: read → reconstruct → write.

The service runs it with durable steps and delivers what it made; ``qsm-plugin reconstruct`` runs the very
same function at a desk. Steps exchange folders (``plugin.scratch``), never arrays, and each may be run again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from plugin.job import QSM_FOLDER, REPORT_FILE, Job

if TYPE_CHECKING:
    from recon.pipeline import Options

_WORK = "work"


class Runner(Protocol):
    """How a step is run: called directly, or recorded and retried by the durable workflow."""

    def __call__(self, step: str, function: Callable[[], Any], /) -> Any:  # noqa: ANN401 - a JSON value
        """Run a step and return its result, a JSON value."""


def directly(_step: str, function: Callable[[], Any], /) -> Any:  # noqa: ANN401 - a JSON value
    """Run a step as a plain call."""
    return function()


def silently(_text: str, /) -> None:
    """Tell nobody about progress."""


def make_qsm(
    job: Job,
    folder: Path,
    *,
    options: Options,
    run: Runner = directly,
    progress: Callable[[str], None] = silently,
) -> tuple[Path, ...]:
    """Make the QSM series of an acquisition.

    Parameters
    ----------
    job
        The images.
    folder
        Gets ``qsm/*.dcm`` and ``report.json``; what the steps exchange is removed at the end.
    options
        Inversion method and engine.
    run
        How the steps are run.
    progress
        Is told what begins.

    Returns
    -------
    tuple of Path
        The derived objects.

    Raises
    ------
    dicom_io.errors.Refusal, recon.errors.ReconError
        The images cannot be reconstructed; the message says why.
    """
    work = folder / _WORK
    read_seconds = run("read", lambda: read(job, work, progress))
    run("reconstruct", lambda: reconstruct(work, options, progress))
    return tuple(folder / name for name in run("write", lambda: write(job, work, folder, read_seconds, progress)))


def read(job: Job, work: Path, progress: Callable[[str], None]) -> float:
    """Read the images into arrays in SI units; return the seconds it took."""
    from dicom_io.read import read_acquisition
    from plugin.scratch import save_echoes

    began = time.perf_counter()
    progress(f"reading {len(job.headers)} images")
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    save_echoes(read_acquisition(job.acquisition), work / "echoes")
    return time.perf_counter() - began


def reconstruct(work: Path, options: Options, progress: Callable[[str], None]) -> None:
    """Work out total field and susceptibility."""
    from plugin.scratch import load_echoes, save_reconstruction
    from recon.pipeline import reconstruct as reconstruct_arrays

    result = reconstruct_arrays(load_echoes(work / "echoes"), options=options, progress=progress)
    save_reconstruction(result, work / "reconstruction")


def write(job: Job, work: Path, folder: Path, read_seconds: float, progress: Callable[[str], None]) -> list[str]:
    """Write the derived series and the report; return the objects' paths relative to the folder."""
    from dicom_io.write_qsm import write_qsm
    from plugin.scratch import load_reconstruction, write_private_json

    if not work.exists():  # done before the service died: nothing is left to do
        return sorted(str(path.relative_to(folder)) for path in (folder / QSM_FOLDER).glob("*.dcm"))
    began = time.perf_counter()
    progress("writing the QSM series")
    result = load_reconstruction(work / "reconstruction")
    paths = write_qsm(result, job.acquisition, folder / QSM_FOLDER, created=job.created)
    seconds = {"read": read_seconds, **result.seconds, "write": time.perf_counter() - began}
    names = sorted(str(path.relative_to(folder)) for path in paths)
    write_private_json(report(job, result, seconds, names), folder / REPORT_FILE)
    shutil.rmtree(work)
    return names


def report(job: Job, result: Any, seconds: dict[str, float], files: list[str]) -> dict[str, Any]:  # noqa: ANN401
    """Say how a result was made and how far it can be trusted; free of patient data."""
    import dataclasses

    acquisition, provenance = job.acquisition, result.provenance
    return {
        "acquisition": acquisition.key,
        "vendor": acquisition.vendor,
        "images": len(job.headers),
        "created": job.created.isoformat(),
        "reference": result.susceptibility.reference,
        "figures": {**result.total_field.figures, **result.figures},
        "warnings": list(dict.fromkeys((*result.total_field.warnings, *result.warnings))),
        "seconds": {step: round(value, 3) for step, value in seconds.items()},
        "provenance": json.loads(json.dumps(dataclasses.asdict(provenance))),
        "files": files,
    }
