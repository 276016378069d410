"""Pages for people: pictures in colour as Secondary Capture Images (PS3.3 A.8.1), one object a page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import UID, SecondaryCaptureImageStorage

from dicom_io.derived.context.derivation import shortened
from dicom_io.derived.context.origin import Stamp
from dicom_io.derived.context.series_module import mark, qualify
from dicom_io.derived.context.source import body_part, inherit_study
from dicom_io.derived.series_files import write_series
from dicom_io.derived.written import WrittenSeries
from dicom_io.errors import DicomError
from dicom_io.uids import uid_of

Page = npt.NDArray[np.uint8]

TITLES = {"quality-page": "QSM quality", "refusal-page": "QSM not made"}
"""How SeriesDescription begins, by the name of the series."""


def write_pages(name: str, pages: Sequence[Page], stamp: Stamp, folder: Path, *, comments: str) -> WrittenSeries:
    """Write pages as a series of their own.

    Parameters
    ----------
    name
        Key of ``TITLES``.
    pages
        ``(row, column, 3)`` uint8, red, green, blue; free of anything that identifies the patient.
    stamp
        How the objects of the job are marked.
    folder
        As of ``dicom_io.derived.mr.write_qsm``.
    comments
        ImageComments: what is on the pages, in words.

    Raises
    ------
    DicomError
        There is no page, or one is no picture in colour.
    """
    if not pages or any(p.ndim != 3 or p.shape[2] != 3 or p.dtype != np.uint8 for p in pages):
        raise DicomError("expected pages of (row, column, 3) 8-bit values; found others, or none")
    content = hashlib.sha256(b"".join(np.ascontiguousarray(page).tobytes() for page in pages)).hexdigest()
    uid = stamp.uid(name, content=content, shapes=[page.shape for page in pages], comments=comments)
    paths = write_series(_images(name, pages, stamp, uid, shortened(comments, 10240)), folder)
    return WrittenSeries(
        name=name,
        paths=paths,
        sop_class_uid=SecondaryCaptureImageStorage,
        series_number=stamp.numbers[name],
        description=stamp.description(TITLES[name]),
    )


def _images(name: str, pages: Sequence[Page], stamp: Stamp, uid: UID, comments: str) -> Iterator[Dataset]:
    for number, page in enumerate(pages, start=1):
        image = inherit_study(stamp.dataset)
        mark(image, stamp, uid=uid, number=stamp.numbers[name], title=TITLES[name])
        qualify(image)
        image.SOPClassUID = SecondaryCaptureImageStorage
        image.SOPInstanceUID = uid_of(uid, str(number))
        image.InstanceNumber = number
        image.ImageType = ["DERIVED", "SECONDARY", "OTHER", name.upper().replace("-", "_")]
        image.ConversionType = "WSD"
        image.PatientOrientation = None
        image.update(body_part(stamp.dataset))
        image.ImageComments = comments
        image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
        image.Rows, image.Columns = page.shape[:2]
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
        pixels = np.ascontiguousarray(page).tobytes()
        image.add_new("PixelData", "OB", pixels + b"\0" * (len(pixels) % 2))
        yield image
