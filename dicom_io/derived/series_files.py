"""A series in a folder of its own, complete or not at all, readable by its owner only."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from dicom_io.errors import DicomError
from dicom_io.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_io.source.tolerance import tolerant

_FILE_NAME: Final = re.compile(r"\d{5}\.dcm")
_OWNER_ONLY: Final = 0o600
_WRITERS: Final = 4


def write_series(images: Iterable[Dataset], folder: Path) -> tuple[Path, ...]:
    """Write images as Explicit VR Little Endian files, named by their place in the series.

    The files are written and synchronised in a temporary folder beside ``folder``, which is then renamed.

    Parameters
    ----------
    images
        Complete data sets.
    folder
        Replaced if it holds an earlier series of this kind.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    DicomError
        ``folder`` holds something that was not written here.
    """
    if folder.exists() and not _is_series(folder):
        raise DicomError(f"{folder.name!r} exists and holds other files; give a folder of its own")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with ThreadPoolExecutor(_WRITERS) as writers:  # the disk works while the next images are encoded
            written = [writers.submit(_write, *_encode(image, number), part) for number, image in enumerate(images, 1)]
        names = [one.result() for one in written]
        _swap(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return tuple(folder / name for name in names)


def _encode(image: Dataset, number: int) -> tuple[str, memoryview]:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = image.SOPClassUID
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    image.file_meta = meta
    encoded = io.BytesIO()
    with tolerant():  # of the source's character set, which is copied and not used
        dcmwrite(encoded, image, enforce_file_format=True)
    return f"{number:05d}.dcm", encoded.getbuffer()


def _write(name: str, content: memoryview, folder: Path) -> str:
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return name


def _is_series(folder: Path) -> bool:
    return folder.is_dir() and all(_FILE_NAME.fullmatch(entry.name) for entry in folder.iterdir())


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
