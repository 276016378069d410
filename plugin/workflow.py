"""The middle of the product on one screen: read → reconstruct → write.

The service runs it with durable steps and delivers what it made; ``qsm-plugin reconstruct`` runs the very
same function at a desk. Steps exchange folders (``plugin.scratch``), never arrays, and each may be run again.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from plugin.job import QSM_FOLDER, REPORT_FILE, Job

if TYPE_CHECKING:
    from dicom_io.derived.pixel_profile import PixelProfile
    from recon.pipeline import Options

WORK_FOLDER = "work"
_FINISHED = ".work-finished"


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
    profile: PixelProfile | None = None,
    mask: Path | None = None,
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
    profile
        How the map's values are stored; the console's 12 bits if not given.
    mask
        NumPy or NIfTI file with the mask to use instead of the automatic one (``plugin.mask_file``).
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
    work = folder / WORK_FOLDER
    read_seconds = run("read", lambda: read(job, work, progress))
    run("reconstruct", lambda: reconstruct(work, options, mask, progress))
    names = run("write", lambda: write(job, folder, profile, read_seconds, progress))
    return tuple(folder / name for name in names)


def read(job: Job, work: Path, progress: Callable[[str], None]) -> float:
    """Read the images into arrays in SI units; return the seconds it took."""
    from dicom_io.read import read_acquisition
    from plugin.scratch import save_echoes

    began = time.perf_counter()
    progress(f"reading {len(job.headers)} images")
    (work.parent / REPORT_FILE).unlink(missing_ok=True)  # it says that a job is done, and this one begins
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    # How large an acquisition may be was decided when the job was made of it.
    save_echoes(read_acquisition(job.acquisition, largest_gib=math.inf), work / "echoes")
    return time.perf_counter() - began


def reconstruct(work: Path, options: Options, mask: Path | None, progress: Callable[[str], None]) -> None:
    """Work out total field and susceptibility."""
    from plugin.mask_file import read_mask
    from plugin.scratch import load_echoes, save_reconstruction
    from recon.pipeline import reconstruct as reconstruct_arrays

    echoes = load_echoes(work / "echoes")
    given = None if mask is None else read_mask(mask, echoes.grid.shape)
    result = reconstruct_arrays(echoes, options=options, mask=given, progress=progress)
    save_reconstruction(result, work / "reconstruction")


def write(
    job: Job, folder: Path, profile: PixelProfile | None, read_seconds: float, progress: Callable[[str], None]
) -> list[str]:
    """Write the derived series and the report; return the objects' paths relative to the folder.

    The report is written last: where it is, the step was done before the service died, and is not done again.
    """
    from dicom_io.derived.pixel_profile import CONSOLE12
    from dicom_io.write_qsm import write_qsm
    from plugin.scratch import load_reconstruction, write_private_json

    began, work = time.perf_counter(), folder / WORK_FOLDER
    for stray in folder.glob(f".{QSM_FOLDER}.*"):  # a series that was half written when the service died
        shutil.rmtree(stray)
    if not (folder / REPORT_FILE).exists():
        progress("writing the QSM series")
        result = load_reconstruction(work / "reconstruction")
        paths = write_qsm(
            result,
            job.acquisition,
            folder / QSM_FOLDER,
            profile=profile or CONSOLE12,
            created=job.created,
            revision=job.revision,
        )
        seconds = {"read": read_seconds, **result.seconds, "write": time.perf_counter() - began}
        names = sorted(str(path.relative_to(folder)) for path in paths)
        write_private_json(report(job, result, seconds, names), folder / REPORT_FILE)
    discard_work(folder)
    return reported_files(folder)


def discard_work(folder: Path) -> None:
    """Remove what the steps of a job exchanged: first its name, at once, then its files."""
    work, finished = folder / WORK_FOLDER, folder / _FINISHED
    shutil.rmtree(finished, ignore_errors=True)
    if work.exists():
        work.rename(finished)
        shutil.rmtree(finished)


def reported_files(folder: Path) -> list[str]:
    """Return the derived objects that a job's report names, relative to the folder."""
    names: list[str] = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))["files"]
    return names


def report(job: Job, result: Any, seconds: dict[str, float], files: list[str]) -> dict[str, Any]:  # noqa: ANN401
    """Say how a result was made and how far it can be trusted; free of patient data."""
    import dataclasses

    from dicom_io.zero_fill import zero_fill_note

    acquisition, provenance = job.acquisition, result.provenance
    notes = filter(None, [zero_fill_note(acquisition)])
    return {
        "acquisition": acquisition.key,
        "vendor": acquisition.vendor,
        "images": len(job.headers),
        "created": job.created.isoformat(),
        "revision": job.revision,
        "reference": result.susceptibility.reference,
        "verdict": dataclasses.asdict(result.verdict),
        "figures": {**result.total_field.figures, **result.figures},
        "warnings": list(dict.fromkeys((*notes, *result.total_field.warnings, *result.warnings))),
        "seconds": {step: round(value, 3) for step, value in seconds.items()},
        "provenance": json.loads(json.dumps(dataclasses.asdict(provenance))),
        "files": files,
    }
