"""A folder of files, complete or not at all, readable by its owner only."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_io.derived.context.series_module import set_series_module
from dicom_io.derived.context.source_series import SeriesContext
from dicom_io.derived.product import Product
from dicom_io.errors import DicomError
from dicom_io.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_io.source.tolerance import tolerant

_WRITERS: Final = 4


@dataclass(frozen=True, kw_only=True)
class WrittenSeries:
    """A derived series on the disk.

    Parameters
    ----------
    name
        Of the product.
    paths
        Its objects, in the order of the series.
    sop_class_uid
        Of all of them.
    series_number, description
        SeriesNumber and SeriesDescription.
    clipped
        How many voxels were out of the range that can be stored.
    warnings
        What its reader has to know, in sentences.
    """

    name: str
    paths: tuple[Path, ...]
    sop_class_uid: str
    series_number: int
    description: str
    clipped: int = 0
    warnings: tuple[str, ...] = ()


def write_series(
    images: Iterable[Dataset],
    product: Product,
    context: SeriesContext,
    uid: UID,
    folder: Path,
    *,
    clipped: int = 0,
    warnings: tuple[str, ...] = (),
) -> WrittenSeries:
    """Write images as Explicit VR Little Endian files, named by their place in the series.

    Parameters
    ----------
    images
        Complete but for the series module, in order.
    product, context, uid
        As of ``set_series_module``.
    folder
        Holds the series and nothing else; replaced if it holds an earlier one.
    clipped, warnings
        Stated in the result.

    Raises
    ------
    DicomError
        ``folder`` holds something that was not written here.
    """
    names = []
    with replaced_folder(folder, ours=r"\d{5}\.dcm") as part, ThreadPoolExecutor(_WRITERS) as writers:
        written = []
        for number, image in enumerate(images, start=1):  # the disk works while the next images are encoded
            set_series_module(image, product, context, uid, number)
            names.append(f"{number:05d}.dcm")
            written.append(writers.submit(write_private, part / names[-1], _encode(image)))
        for one in written:
            one.result()
    return WrittenSeries(
        name=product.name,
        paths=tuple(folder / name for name in names),
        sop_class_uid=product.sop_class_uid,
        series_number=context.numbers[product.name],
        description=context.description(product.title),
        clipped=clipped,
        warnings=warnings,
    )


@contextmanager
def replaced_folder(folder: Path, *, ours: str) -> Iterator[Path]:
    """Give a temporary folder that takes the place of ``folder`` if the block ends without an exception.

    Parameters
    ----------
    folder
        Replaced only if all of its entries have names that match ``ours``, a regular expression.

    Raises
    ------
    DicomError
        ``folder`` holds something else.
    """
    if folder.exists() and not (folder.is_dir() and all(re.fullmatch(ours, entry.name) for entry in folder.iterdir())):
        raise DicomError(f"{folder.name!r} exists and holds other files; give a folder of its own")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield part
        _swap(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_private(path: Path, content: bytes | memoryview) -> None:
    """Write and synchronise a new file that only its owner may read."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _encode(image: Dataset) -> memoryview:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    image.file_meta = meta
    encoded = io.BytesIO()
    with tolerant():  # of the source's character set, which is copied and not used
        dcmwrite(encoded, image, enforce_file_format=True)
    return encoded.getbuffer()


def _swap(part: Path, folder: Path) -> None:
    """Put the new folder in the place of the old one; the old one goes only after the new one stands."""
    if folder.exists():
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        os.rename(folder, aside / "replaced")
        os.rename(part, folder)
        shutil.rmtree(aside)
    else:
        os.rename(part, folder)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
