"""From a reconstruction to its products: what the product table says of each, done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

from dicom_io.derived.context.source import first_readable
from dicom_io.derived.context.source_series import SeriesContext, Sources
from dicom_io.derived.products import PRODUCTS, QSM, REFUSAL_PAGE, REGIONS
from dicom_io.derived.series_files import WrittenSeries
from dicom_io.errors import DicomError
from plugin.jobs.job import Job
from plugin.log import unexpected
from recon.errors import ReconError
from recon.products.types import Contrast
from recon.types import GradientEcho

NIFTI: Final = "nifti"
"""Files for researchers, made with the products and never delivered."""

ADVICE: Final = "Correct the problem named above, then send all images again; otherwise no map will be made."
"""What the page of a refusal says beside the reason."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was made, why the rest was not, and how long each took, by product."""

    series: dict[str, tuple[WrittenSeries, ...]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def make_products(
    names: Sequence[str],
    echoes: GradientEcho,
    sources: Sources,
    folder: Path,
    progress: Callable[[str], None],
    on_content: Callable[[str, Any], None],
) -> Made:
    """Make products; one that cannot be made does not keep the others from being made.

    ``names`` are of ``PRODUCTS``, with ``NIFTI`` after those that it is to hold. Each product gets a folder of its own
    below ``folder``, the job's. ``on_content`` is given the name and the arrays of each product that is made of some.

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
            made.series[name] = _make(name, echoes, sources, folder / name, contrasts, on_content)
        except Exception as error:
            if name == QSM or isinstance(error, (OSError, MemoryError)):
                raise
            expected = isinstance(error, (DicomError, ReconError))
            made.missing[name] = str(error) if expected else unexpected(error)
        made.seconds[name] = time.perf_counter() - began
    return made


def _make(
    name: str,
    echoes: GradientEcho,
    sources: Sources,
    folder: Path,
    contrasts: dict[str, Contrast] | None,
    on_content: Callable[[str, Any], None],
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
        content = resolve_name(product.make)(echoes, sources.reconstruction, **needed)
        on_content(name, content)
    if contrasts is not None and product.make and product.nifti:
        contrasts[name] = content
    written: tuple[WrittenSeries, ...] = resolve_name(product.write)(product, content, sources, folder)
    return written


def discard_half_written(folder: Path) -> None:
    """Remove series that were half written when the service died."""
    for name in (*PRODUCTS, REGIONS.name, NIFTI):
        for stray in folder.glob(f".{name}.*"):
            shutil.rmtree(stray)


def write_refusal_page(job: Job, folder: Path, refusal: tuple[str, str]) -> WrittenSeries:
    """Write the page that says at the console why no map was made; ``refusal`` is code and sentence."""
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
    pages, comments = [refusal_page(sentence, ADVICE)], f"QSM was not made ({code}): {sentence} For research use only."
    return write_pages(PRODUCTS[REFUSAL_PAGE], pages, context, folder / REFUSAL_PAGE, comments=comments)
