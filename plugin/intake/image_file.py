"""The file of a received image: where its data set, as it was sent, begins, and the digest of that."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_file_meta_info

from dicom_io.source.elements import tolerant

_META_START: Final = 144
"""Where the file meta information begins after preamble, prefix and the element that holds its length."""


def read_meta(path: Path) -> FileMetaDataset:
    """Read the file meta information."""
    with tolerant():
        return read_file_meta_info(path)


def content_digest(path: Path, meta: FileMetaDataset) -> str:
    """Return the SHA-256 of the data set as it was sent."""
    with path.open("rb") as file:
        file.seek(_META_START + int(meta.FileMetaInformationGroupLength))
        return hashlib.file_digest(file, "sha256").hexdigest()
