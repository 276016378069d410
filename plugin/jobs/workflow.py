"""The middle of the product on one screen: read → reconstruct → write, then what is wanted beside the map.

The service runs it with durable steps, and delivers the map before the others are made; ``qsm-plugin
reconstruct`` runs the very same functions at a desk. Steps exchange folders (``plugin.jobs.scratch``), never arrays,
and each may be run again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dicom_io.derived.products import FIRST, OBJECTS, QSM
from plugin.jobs.job import REPORT_FILE, Job
from plugin.jobs.scratch import write_private_json

if TYPE_CHECKING:
    from recon.options import Options

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
    profile: str = "console12",
    window_presets: bool = True,
    objects: Collection[str] = (QSM,),
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
        Gets ``qsm/*.dcm`` and ``report.json``; what the steps exchange is removed at the end, unless
        ``make_others`` still needs it.
    options
        Inversion method and engine.
    profile
        How values are stored: ``"console12"`` or ``"pacs16"``.
    window_presets
        Whether the map states further windows after its default one.
    objects
        All that is to be made of this job, of ``dicom_io.derived.products.OBJECTS`` and ``"nifti"``.
    mask
        NumPy or NIfTI file with the mask to use instead of the automatic one (``plugin.jobs.mask_file``).
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
    shown = window_presets
    names = run("write", lambda: write(job, folder, profile, read_seconds, progress, objects=objects, presets=shown))
    return tuple(folder / name for name in names)


def make_others(
    job: Job,
    folder: Path,
    *,
    profile: str = "console12",
    objects: Collection[str],
    run: Runner = directly,
    progress: Callable[[str], None] = silently,
) -> tuple[Path, ...]:
    """Make the other objects of an acquisition whose QSM series ``make_qsm`` has made; parameters as there.

    An object that cannot be made is named in the report, with the reason; the others are made all the same.

    Returns
    -------
    tuple of Path
        All derived objects of the job, those of ``make_qsm`` among them.
    """
    names = run("others", lambda: others(job, folder, profile, objects, progress))
    return tuple(folder / name for name in names)


def read(job: Job, work: Path, progress: Callable[[str], None]) -> float:
    """Read the images into arrays in SI units; return the seconds it took."""
    from dicom_io.derived.context.source import check_identity
    from dicom_io.source.read import read_acquisition
    from plugin.jobs.scratch import save_echoes

    began = time.perf_counter()
    progress(f"reading {len(job.headers)} images")
    (work.parent / REPORT_FILE).unlink(missing_ok=True)  # it says that a job is done, and this one begins
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_identity(job.headers)
    save_echoes(read_acquisition(job.acquisition), work / "echoes")
    return time.perf_counter() - began


def reconstruct(work: Path, options: Options, mask: Path | None, progress: Callable[[str], None]) -> None:
    """Work out total field and susceptibility."""
    from plugin.jobs.mask_file import read_mask
    from plugin.jobs.scratch import let_go, load_echoes, save_reconstruction
    from recon.pipeline import reconstruct as reconstruct_arrays

    echoes = load_echoes(work / "echoes")
    given = None if mask is None else read_mask(mask, echoes.grid.shape)

    def on_step(step: str) -> None:
        if step == "inversion":  # it works on the field alone, and needs most memory
            let_go(echoes)
        progress(step)

    result = reconstruct_arrays(echoes, options=options, mask=given, progress=on_step)
    save_reconstruction(result, work / "reconstruction")


def write(
    job: Job,
    folder: Path,
    profile: str,
    read_seconds: float,
    progress: Callable[[str], None],
    *,
    objects: Collection[str] = (QSM,),
    presets: bool = True,
) -> list[str]:
    """Write the QSM series and the report; return the objects' paths relative to the folder.

    The report is written last: where it is, the step was done before the service died, and is not done again.
    """
    from plugin.jobs.products import discard_half_written, load_sources, make_products
    from plugin.jobs.report import report_of, with_series
    from plugin.jobs.scratch import load_echoes

    began, work = time.perf_counter(), folder / WORK_FOLDER
    discard_half_written(folder)
    if not (folder / REPORT_FILE).exists():
        progress("writing the QSM series")
        sources, names = load_sources(job, work, profile, presets), [name for name in FIRST if name in (QSM, *objects)]
        made = make_products(names, load_echoes(work / "echoes"), sources, folder)
        seconds = {"read": read_seconds, **sources.reconstruction.seconds, "write": time.perf_counter() - began}
        report = with_series(report_of(job, sources.reconstruction, seconds), made, folder, timed=False)
        write_private_json(report, folder / REPORT_FILE)
    if set(objects) <= set(FIRST):
        discard_work(folder)
    return reported_files(folder)


def others(
    job: Job,
    folder: Path,
    profile: str,
    objects: Collection[str],
    progress: Callable[[str], None],
) -> list[str]:
    """Make what is wanted beside the QSM series; return all objects' paths relative to the folder."""
    from plugin.errors import JobFailedError
    from plugin.jobs.products import NIFTI, discard_half_written, load_sources, make_products
    from plugin.jobs.report import with_series
    from plugin.jobs.scratch import load_echoes

    report = read_report(folder)
    tried = report["seconds"]  # of every product that was made or could not be
    names = [name for name in (*OBJECTS, NIFTI) if name in objects and name not in (*FIRST, *tried)]
    if names:
        work = folder / WORK_FOLDER
        if not work.exists():
            raise JobFailedError("work-is-gone", "what the other objects are made of is gone; retry the job")
        discard_half_written(folder)
        sources = load_sources(job, work, profile)
        made = make_products(names, load_echoes(work / "echoes"), sources, folder, progress=progress)
        write_private_json(with_series(report, made, folder), folder / REPORT_FILE)
    discard_work(folder)
    return reported_files(folder)


def write_refusal(job: Job, folder: Path, refusal: tuple[str, str]) -> list[str]:
    """Write the page that says why there is no map, and the report that names it; return its path."""
    from plugin.jobs.products import discard_half_written, write_refusal_page
    from plugin.jobs.report import refusal_report

    discard_half_written(folder)
    report = refusal_report(job, *refusal, write_refusal_page(job, folder, refusal), folder)
    write_private_json(report, folder / REPORT_FILE)
    return reported_files(folder)


def discard_work(folder: Path) -> None:
    """Remove what the steps of a job exchanged: first its name, at once, then its files."""
    work, finished = folder / WORK_FOLDER, folder / _FINISHED
    shutil.rmtree(finished, ignore_errors=True)
    if work.exists():
        work.rename(finished)
        shutil.rmtree(finished)


def read_report(folder: Path) -> dict[str, Any]:
    """Read a job's report."""
    report: dict[str, Any] = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
    return report


def reported_files(folder: Path) -> list[str]:
    """Return the derived objects that a job's report names, relative to the folder."""
    names: list[str] = read_report(folder)["files"]
    return names
