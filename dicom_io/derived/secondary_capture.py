"""Pages for people: pictures in colour as Secondary Capture Images (PS3.3 A.8.1), one object a page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from dicom_io.derived.context.derivation import map_texts, shortened
from dicom_io.derived.context.series_module import qualify
from dicom_io.derived.context.source import body_part, inherit_study
from dicom_io.derived.context.source_series import SeriesContext, Sources
from dicom_io.derived.product import Product
from dicom_io.derived.series_files import WrittenSeries, write_series
from dicom_io.errors import DicomError

Page = npt.NDArray[np.uint8]


def write_quality_page(product: Product, pages: Sequence[Page], sources: Sources, folder: Path) -> tuple[WrittenSeries]:
    """Write the pages that show a map and its quality; parameters and errors as of ``write_pages``."""
    return (write_pages(product, pages, sources.series.context, folder, comments=map_texts(sources)[1]),)


def write_pages(
    product: Product, pages: Sequence[Page], context: SeriesContext, folder: Path, *, comments: str
) -> WrittenSeries:
    """Write pages as a series of their own.

    Parameters
    ----------
    product, folder
        As of ``dicom_io.derived.mr.write_images``.
    pages
        ``(row, column, 3)`` uint8, red, green, blue; free of anything that identifies the patient.
    context
        Of the job's series.
    comments
        ImageComments: what is on the pages, as text.

    Raises
    ------
    DicomError
        There is no page, or one is not a picture in colour.
    """
    if not pages or any(p.ndim != 3 or p.shape[2] != 3 or p.dtype != np.uint8 for p in pages):
        raise DicomError("expected pages of (row, column, 3) 8-bit values; found others, or none")
    content = hashlib.sha256(b"".join(np.ascontiguousarray(page).tobytes() for page in pages)).hexdigest()
    uid = context.uid(product.name, content=content, shapes=[page.shape for page in pages], comments=comments)
    images = _images(product, pages, context, shortened(comments, 10240))
    return write_series(images, product, context, uid, folder)


def _images(product: Product, pages: Sequence[Page], context: SeriesContext, comments: str) -> Iterator[Dataset]:
    for page in pages:
        image = inherit_study(context.dataset)
        qualify(image)
        image.ImageType = ["DERIVED", "SECONDARY", "OTHER", product.name.upper().replace("-", "_")]
        image.ConversionType = "WSD"
        image.PatientOrientation = None
        image.update(body_part(context.dataset))
        image.ImageComments = comments
        image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
        image.Rows, image.Columns = page.shape[:2]
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
        pixels = np.ascontiguousarray(page).tobytes()
        image.add_new("PixelData", "OB", pixels + b"\0" * (len(pixels) % 2))
        yield image
