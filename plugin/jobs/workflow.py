"""The middle of the product on one screen: read → reconstruct → write → deliver, then the objects beside the map.

The service runs ``make`` with durable steps; ``qsm-plugin reconstruct`` runs the very same function at a desk. Steps
exchange folders (``plugin.jobs.scratch``), never arrays. Each writes its files completely or not at all, and may be run
again; what was done is known to the runner alone.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dicom_io.derived.context.source_series import Sources
from dicom_io.derived.product import FIRST_PART, OTHER_PART
from dicom_io.derived.products import FIRST, OBJECTS, QSM, SWI
from dicom_io.source.read import read_acquisition
from plugin.errors import JobFailedError
from plugin.files import write_private_json
from plugin.jobs.job import REPORT_FILE, Job
from plugin.jobs.mask_file import read_mask
from plugin.jobs.pictures import with_pictures
from plugin.jobs.place import Place
from plugin.jobs.products import NIFTI, Made, discard_half_written, make_products, write_refusal_page
from plugin.jobs.report import failed_map_in, refusal_report, report_of, with_series
from plugin.jobs.scratch import free_pages, load, save
from recon.options import Options
from recon.quality.page.pictures import pictures_of, swi_picture
from recon.types import GradientEcho, Reconstruction

QUALITY_FAILED = "quality-failed"
"""Code of a job whose map failed its quality check."""

Report = dict[str, Any]
"""What ``report.json`` says: JSON values."""

Progress = Callable[[str], None]
"""Told what begins."""

Runner = Callable[[str, Callable[[], Any]], Any]
"""Runs a step, given its name, and returns its result, a JSON value: at once, or recorded by the durable workflow."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to make of an acquisition.

    Parameters
    ----------
    objects
        Of ``dicom_io.derived.products.OBJECTS``, and ``plugin.jobs.products.NIFTI``; the QSM series is always made.
    profile
        How values are stored: ``"console12"`` or ``"pacs16"``.
    window_presets
        Whether the map states further windows after its default one.
    mask
        NumPy or NIfTI file with the mask to use instead of the automatic one (``plugin.jobs.mask_file``).
    keep_failed
        Whether a map that failed its quality check is made all the same, with FAILED at the head of the description of
        each of its series; else the report alone is written.
    pictures
        Whether to make the pictures that the operator console shows.
    """

    options: Options
    objects: tuple[str, ...] = ()
    profile: str = "console12"
    window_presets: bool = True
    mask: Path | None = None
    keep_failed: bool = False
    pictures: bool = False

    @property
    def first(self) -> list[str]:
        """What is made and delivered before the others."""
        return [name for name in FIRST if name in (QSM, *self.objects)]

    @property
    def others(self) -> list[str]:
        """What is made afterwards."""
        return [name for name in (*OBJECTS, NIFTI) if name in self.objects and name not in FIRST]


def make(
    job: Job,
    place: Place,
    wanted: Wanted,
    *,
    run: Runner = lambda _step, function: function(),
    deliver: Callable[[Report, str], None] = lambda _report, _part: None,
    progress: Progress = lambda _text: None,
) -> Report:
    """Make the derived objects of an acquisition, and report how they were made.

    An object beside the map that cannot be made is named in the report, with the reason. Each object gets a folder
    below that of the job, beside ``report.json``, whose file names are relative to it. ``deliver`` is called when a
    part of the objects is complete, with the report so far: the map goes before the others are made.

    Raises
    ------
    dicom_io.errors.Refusal, recon.errors.ReconError
        The images cannot be reconstructed; the message says why.
    JobFailedError
        The map failed its quality check and is not kept; ``report.json`` holds its figures.
    """
    read_seconds: float = run("read", lambda: read(job, place, progress))
    run("reconstruct", lambda: reconstruct(job, place, wanted, progress))
    report: Report = run("write", lambda: write(job, place, wanted, read_seconds, progress))
    failure = quality_failure(report)
    if failure is not None and not wanted.keep_failed:
        discard_work(place)
        raise failure
    deliver(report, FIRST_PART)
    if wanted.others:
        report = run("others", lambda: others(job, place, wanted, report, progress))
        deliver(report, OTHER_PART)
    discard_work(place)
    return report


def quality_failure(report: Report) -> JobFailedError | None:
    """Say why the map of a report is not to be read; None if it passed its quality check."""
    verdict = report["verdict"]
    if verdict["level"] != "failed":
        return None
    return JobFailedError(QUALITY_FAILED, f"The map failed its quality check. {' '.join(verdict['reasons'])}")


def read(job: Job, place: Place, progress: Progress) -> float:
    """Read the images into arrays in SI units; return the seconds it took."""
    began = time.perf_counter()
    progress(f"reading {len(job.headers)} images")
    save(read_acquisition(job.acquisition), place.echoes)
    return time.perf_counter() - began


def reconstruct(job: Job, place: Place, wanted: Wanted, progress: Progress) -> None:
    """Work out total field and susceptibility; the images are read again where another machine has read them."""
    from recon.pipeline import reconstruct as reconstruct_arrays

    if not place.echoes.exists():
        read(job, place, progress)
    echoes = load(GradientEcho, place.echoes)
    mask = None if wanted.mask is None else read_mask(wanted.mask, echoes.grid.shape, job.source_series.affine)

    def on_step(step: str) -> None:
        if step == "inversion":  # it works on the field alone, and needs most memory
            free_pages(echoes)
        progress(step)

    save(reconstruct_arrays(echoes, options=wanted.options, mask=mask, progress=on_step), place.reconstruction)


def write(job: Job, place: Place, wanted: Wanted, read_seconds: float, progress: Progress) -> Report:
    """Write the QSM series and the report; of a failed map that is not kept, the report alone."""
    began = time.perf_counter()
    progress("writing the QSM series")
    sources = _sources(job, place, wanted, progress)
    result = sources.reconstruction
    kept = result.verdict.level != "failed" or wanted.keep_failed
    made = _make_products(place, sources, wanted.first, lambda _text: None) if kept else Made()
    seconds = {"read": read_seconds, **result.seconds, "write": time.perf_counter() - began}
    report = report_of(job, result, seconds)
    if wanted.pictures and kept:
        echoes = load(GradientEcho, place.echoes)
        report = with_pictures(report, lambda: pictures_of(echoes, result), place, sources.series.affine)
    return _complete(report, made, place, timed=False)


def others(job: Job, place: Place, wanted: Wanted, report: Report, progress: Progress) -> Report:
    """Make what is wanted beside the QSM series, and complete the report that ``write`` returned."""
    sources = _sources(job, place, wanted, progress)
    affine = sources.series.affine

    def add_picture(name: str, content: Any) -> None:  # noqa: ANN401 - what the product's function returns
        nonlocal report
        if wanted.pictures and name == SWI:
            report = with_pictures(report, lambda: [swi_picture(content.volume, sources.reconstruction)], place, affine)

    made = _make_products(place, sources, wanted.others, progress, add_picture)
    return _complete(report, made, place)


def write_refusal(job: Job, place: Place, refusal: tuple[str, str]) -> Report:
    """Write the page that says why there is no map, and the report that names it; a failed map's report stays in it."""
    discard_half_written(place.results)
    page = write_refusal_page(job, place.results, refusal)
    failed_map = failed_map_in(place.folder / REPORT_FILE)
    return _save(refusal_report(job, *refusal, page, place.folder, failed_map), place)


def discard_work(place: Place) -> None:
    """Remove what the steps of a job exchanged."""
    shutil.rmtree(place.local or place.work, ignore_errors=True)


def _sources(job: Job, place: Place, wanted: Wanted, progress: Progress) -> Sources:
    """Return what derived objects are made of; it is worked out again where another machine has worked it out."""
    if not place.reconstruction.exists():
        reconstruct(job, place, wanted, progress)
    result, series = load(Reconstruction, place.reconstruction), job.source_series
    context = replace(series.context, failed=result.verdict.level == "failed")
    return Sources(
        reconstruction=result,
        series=replace(series, context=context),
        profile=wanted.profile,
        window_presets=wanted.window_presets,
    )


def _make_products(
    place: Place,
    sources: Sources,
    names: Sequence[str],
    progress: Progress,
    on_content: Callable[[str, Any], None] = lambda _name, _content: None,
) -> Made:
    discard_half_written(place.results)
    echoes = load(GradientEcho, place.echoes)
    return make_products(names, echoes, sources, place.results, progress, on_content)


def _complete(report: Report, made: Made, place: Place, *, timed: bool = True) -> Report:
    """Name what was made in a report, and save it."""
    return _save(with_series(report, made, place.folder, timed=timed), place)


def _save(report: Report, place: Place) -> Report:
    place.check_lease()
    write_private_json(report, place.folder / REPORT_FILE)
    return report
