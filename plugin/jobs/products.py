"""From a reconstruction to its products: what the product table says of each, done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from dicom_io.derived.context.source import first_readable
from dicom_io.derived.context.source_series import SeriesContext, Sources
from dicom_io.derived.products import PRODUCTS, QSM, REFUSAL_PAGE, REGIONS
from dicom_io.derived.series_files import WrittenSeries
from dicom_io.errors import DicomError
from plugin.jobs.job import Job
from plugin.jobs.scratch import load_reconstruction
from plugin.log import describe
from recon.errors import ReconError
from recon.products.types import Contrast
from recon.types import GradientEcho

NIFTI: Final = "nifti"
"""Files for researchers, made with the products and never delivered."""

ADVICE: Final = "Correct the problem named above, then send all images again; otherwise no map will be made."
"""What the page of a refusal says beside the reason."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was made, and why the rest was not.

    Parameters
    ----------
    series
        By product.
    missing
        Reasons, by product.
    seconds
        By product.
    """

    series: dict[str, tuple[WrittenSeries, ...]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def load_sources(job: Job, work: Path, profile: str, window_presets: bool = True) -> Sources:
    """Load what the steps before left in ``work``."""
    reconstruction = load_reconstruction(work / "reconstruction")
    series = job.source_series
    return Sources(reconstruction=reconstruction, series=series, profile=profile, window_presets=window_presets)


def make_products(
    names: Sequence[str],
    echoes: GradientEcho,
    sources: Sources,
    folder: Path,
    *,
    progress: Callable[[str], None] = lambda _text: None,
) -> Made:
    """Make products; one that cannot be made does not keep the others from being made.

    Parameters
    ----------
    names
        Of ``PRODUCTS``, and ``NIFTI`` after those that it is to hold.
    echoes
        The acquisition.
    sources
        Its reconstruction and source series.
    folder
        The job's; each product gets a folder of its own below.
    progress
        Called with what begins.

    Raises
    ------
    OSError, MemoryError
        The machine cannot do it now; trying again may help.
    Exception
        Whatever keeps the map from being made, without which there is nothing to deliver.
    """
    made = Made()
    contrasts: dict[str, Contrast] | None = {} if NIFTI in names else None
    for name in names:
        began = time.perf_counter()
        progress(f"making {name}")
        try:
            made.series[name] = _make(name, echoes, sources, folder / name, contrasts)
        except Exception as error:
            if name == QSM or isinstance(error, (OSError, MemoryError)):
                raise
            made.missing[name] = _reason(error)
        made.seconds[name] = time.perf_counter() - began
    return made


def _make(
    name: str, echoes: GradientEcho, sources: Sources, folder: Path, contrasts: dict[str, Contrast] | None
) -> tuple[WrittenSeries, ...]:
    """Make a product; a contrast is added to ``contrasts``, if they are kept."""
    if name == NIFTI:
        from plugin.jobs.nifti import write_nifti

        write_nifti(echoes, sources.reconstruction, contrasts or {}, folder, affine=sources.series.affine)
        return ()
    product = PRODUCTS[name]
    if product.enhanced_only and not sources.series.is_enhanced:  # the scanner's console works with classic images
        return ()
    content: Any = None
    if product.make:
        needed = {need: getattr(sources.series, need) for need in product.needs}
        content = resolve(product.make)(echoes, sources.reconstruction, **needed)
    if contrasts is not None and product.make and product.nifti:
        contrasts[name] = content
    written: tuple[WrittenSeries, ...] = resolve(product.write)(product, content, sources, folder)
    return written


def resolve(reference: str) -> Callable[..., Any]:
    """Import a function that the table names as ``"module:function"``."""
    module, _, name = reference.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def _reason(error: Exception) -> str:
    if isinstance(error, (DicomError, ReconError)):
        return str(error)
    details = describe(error)
    return f"unexpected {details['error']} at {details['where']}; please report it"


def discard_half_written(folder: Path) -> None:
    """Remove series that were half written when the service died."""
    for name in (*PRODUCTS, REGIONS.name, NIFTI):
        for stray in folder.glob(f".{name}.*"):
            shutil.rmtree(stray)


def write_refusal_page(job: Job, folder: Path, refusal: tuple[str, str]) -> WrittenSeries:
    """Write the page that says at the console why no map was made.

    Parameters
    ----------
    job
        Its images.
    folder
        The job's.
    refusal
        Code and sentence.
    """
    from dicom_io.derived.secondary_capture import write_pages
    from recon.quality.page.refusal import refusal_page

    code, sentence = refusal
    context = SeriesContext.of(
        job.acquisition,
        *first_readable(job.headers),
        created=job.created,
        revision=job.revision,
        used_series_numbers=job.used_series_numbers,
    )
    comments = f"QSM was not made ({code}): {sentence} For research use only."
    page = refusal_page(sentence, ADVICE)
    return write_pages(PRODUCTS[REFUSAL_PAGE], [page], context, folder / REFUSAL_PAGE, comments=comments)
