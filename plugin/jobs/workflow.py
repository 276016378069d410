"""The middle of the product on one screen: read → reconstruct → write, then what is wanted beside the map.

The service runs it with durable steps, and delivers the map before the others are made; ``qsm-plugin
reconstruct`` runs the very same functions at a desk. Steps exchange folders (``plugin.jobs.scratch``), never arrays.
Each writes its files completely or not at all, and may be run again; what was done is known to the runner alone.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from plugin.files import write_private_json
from plugin.jobs.job import REPORT_FILE, Job
from plugin.jobs.objects import FIRST, NIFTI, OBJECTS, QSM

if TYPE_CHECKING:
    from recon.options import Options

WORK_FOLDER = "work"

Report = dict[str, Any]
"""What ``report.json`` says: JSON values."""

Progress = Callable[[str], None]
"""Told what begins."""


class Runner(Protocol):
    """How a step is run: called directly, or recorded and retried by the durable workflow."""

    def __call__(self, step: str, function: Callable[[], Any], /) -> Any:  # noqa: ANN401 - a JSON value
        """Run a step and return its result, a JSON value."""


def directly(_step: str, function: Callable[[], Any], /) -> Any:  # noqa: ANN401 - a JSON value
    """Run a step as a plain call."""
    return function()


def silently(_text: str, /) -> None:
    """Show no progress."""


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
    progress: Progress = silently,
) -> Report:
    """Make the QSM series of an acquisition.

    Parameters
    ----------
    job
        The images.
    folder
        Gets ``qsm/*.dcm`` and ``report.json``, and what ``make_others`` needs, until ``discard_work``.
    options
        Inversion method and engine.
    profile
        How values are stored: ``"console12"`` or ``"pacs16"``.
    window_presets
        Whether the map states further windows after its default one.
    objects
        All that is to be made of this job, keys of ``plugin.jobs.objects.OBJECTS`` and ``"nifti"``.
    mask
        NumPy or NIfTI file with the mask to use instead of the automatic one (``plugin.jobs.mask_file``).
    run
        How the steps are run.
    progress
        Is told what begins.

    Returns
    -------
    Report
        How the map was made, and its files, relative to the folder.

    Raises
    ------
    dicom_io.errors.Refusal, recon.errors.ReconError
        The images cannot be reconstructed; the message says why.
    """
    read_seconds: float = run("read", lambda: read(job, folder, progress))
    run("reconstruct", lambda: reconstruct(folder, options, mask, progress))
    first = [name for name in FIRST if name in (QSM, *objects)]
    report: Report = run("write", lambda: write(job, folder, first, profile, window_presets, read_seconds, progress))
    return report


def make_others(
    job: Job,
    folder: Path,
    report: Report,
    *,
    profile: str = "console12",
    objects: Collection[str],
    run: Runner = directly,
    progress: Progress = silently,
) -> Report:
    """Make the other objects of an acquisition whose QSM series ``make_qsm`` has made; parameters as there.

    An object that cannot be made is named in the report, with the reason; the others are made all the same.

    Parameters
    ----------
    report
        What ``make_qsm`` returned.

    Returns
    -------
    Report
        The same with the other objects.
    """
    names = [name for name in (*OBJECTS, NIFTI) if name in objects and name not in FIRST]
    whole: Report = run("others", lambda: others(job, folder, report, names, profile, progress)) if names else report
    return whole


def read(job: Job, folder: Path, progress: Progress) -> float:
    """Read the images into arrays in SI units; return the seconds it took."""
    from dicom_io.derived.context.source import check_identity
    from dicom_io.source.read import read_acquisition
    from plugin.jobs.scratch import save

    began = time.perf_counter()
    progress(f"reading {len(job.headers)} images")
    check_identity(job.headers)
    # How large an acquisition may be was decided when the job was made of it.
    save(read_acquisition(job.acquisition, largest_gib=math.inf), folder / WORK_FOLDER / "echoes")
    return time.perf_counter() - began


def reconstruct(folder: Path, options: Options, mask: Path | None, progress: Progress) -> None:
    """Work out total field and susceptibility."""
    from plugin.jobs.mask_file import read_mask
    from plugin.jobs.scratch import free_pages, load_echoes, save
    from recon.pipeline import reconstruct as reconstruct_arrays

    work = folder / WORK_FOLDER
    echoes = load_echoes(work / "echoes")
    given = None if mask is None else read_mask(mask, echoes.grid.shape)

    def on_step(step: str) -> None:
        if step == "inversion":  # it works on the field alone, and needs most memory
            free_pages(echoes)
        progress(step)

    save(reconstruct_arrays(echoes, options=options, mask=given, progress=on_step), work / "reconstruction")


def write(
    job: Job,
    folder: Path,
    names: Sequence[str],
    profile: str,
    window_presets: bool,
    read_seconds: float,
    progress: Progress,
) -> Report:
    """Write the QSM series and the report."""
    from plugin.jobs.derive import discard_half_written, make_objects, material_of
    from plugin.jobs.report import report_of, with_series

    began = time.perf_counter()
    progress("writing the QSM series")
    discard_half_written(folder)
    material = material_of(job, folder / WORK_FOLDER, profile, window_presets=window_presets)
    made = make_objects(names, material, folder)
    made.raise_if_missing(QSM)
    seconds = {"read": read_seconds, **material.reconstruction.seconds, "write": time.perf_counter() - began}
    report = with_series(report_of(job, material.reconstruction, seconds), made, folder, timed=False)
    write_private_json(report, folder / REPORT_FILE)
    return report


def others(
    job: Job,
    folder: Path,
    report: Report,
    names: Sequence[str],
    profile: str,
    progress: Progress,
) -> Report:
    """Make what is wanted beside the QSM series, and complete the report."""
    from plugin.jobs.derive import discard_half_written, make_objects, material_of
    from plugin.jobs.report import with_series

    discard_half_written(folder)
    made = make_objects(names, material_of(job, folder / WORK_FOLDER, profile), folder, progress=progress)
    report = with_series(report, made, folder)
    write_private_json(report, folder / REPORT_FILE)
    return report


def write_refusal(job: Job, folder: Path, refusal: tuple[str, str]) -> Report:
    """Write the page that says why there is no map, and the report that names it."""
    from plugin.jobs.derive import discard_half_written
    from plugin.jobs.derive import write_refusal as write_page
    from plugin.jobs.report import refusal_report

    discard_half_written(folder)
    report = refusal_report(job, *refusal, write_page(job, folder, refusal), folder)
    write_private_json(report, folder / REPORT_FILE)
    return report


def discard_work(folder: Path) -> None:
    """Remove what the steps of a job exchanged."""
    shutil.rmtree(folder / WORK_FOLDER, ignore_errors=True)
