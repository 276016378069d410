"""The images of a series as they were received, to be seen where no map was made."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from fastapi import HTTPException

from dicom_io.errors import Refusal
from dicom_io.source.acquisition.first_echo import first_echo, stored_image
from dicom_io.source.header import ImageHeader
from plugin.config.settings import Settings
from plugin.intake.database.overview import Wanted
from plugin.intake.index import AcquisitionRow, Index, existing_index, index_url
from recon.quality.page.pictures import stored_png

Part = Literal["magnitude", "phase", "real", "imaginary", "other"]
"""Part of an address that names what an image shows."""

_SQUARE_MM: Final = (1.0, 1.0)
_AT_A_TIME: Final = threading.BoundedSemaphore(2)
"""Images that are decoded at a time; each takes below 100 MiB."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One slice of a part: its number, from 1, and of how many."""

    part: str
    echo_ms: float | None
    number: int
    count: int


def find_row(settings: Settings, name: str) -> AcquisitionRow | None:
    """Return the acquisition whose name begins so; None if there is none."""
    with closing(existing_index(settings)) as index:
        rows = index.acquisitions_named(index.acquisition_names(Wanted(names=[name]), limit=1, offset=0))
    return rows[0] if rows else None


def shown_of(settings: Settings, row: AcquisitionRow, number: int | None) -> list[Shown]:
    """Return a slice, the middle one if None, of each part of a series, as far as it is still in the spool."""
    found = []
    for part, images in _images(settings, row).items():
        at = min(number or (len(images) + 1) // 2, len(images))
        image = images[at - 1]
        if (settings.spool / image.path).exists():
            echo_ms = None if image.echo_time_s is None else 1e3 * image.echo_time_s
            found.append(Shown(part=part, echo_ms=echo_ms, number=at, count=len(images)))
    return found


def draw_image(settings: Settings, row: AcquisitionRow, part: str, number: int) -> bytes:
    """Return an image as PNG; not found if it is gone or cannot be decoded."""
    images: Sequence[ImageHeader] = _images(settings, row).get(part, ())
    if number > len(images):
        raise HTTPException(404)
    image = images[number - 1]
    try:
        with _AT_A_TIME:
            return stored_png(stored_image(image, root=settings.spool), image.pixel_spacing_mm or _SQUARE_MM)
    except Refusal as refusal:
        raise HTTPException(404) from refusal


def _images(settings: Settings, row: AcquisitionRow) -> Mapping[str, Sequence[ImageHeader]]:
    return _first_echo(index_url(settings.spool, settings.database_url), row)


@lru_cache(maxsize=8)
def _first_echo(url: str, row: AcquisitionRow) -> Mapping[str, Sequence[ImageHeader]]:
    """Look the images up once while somebody goes through them: a series may have thousands."""
    with closing(Index(url)) as index:
        texts = [text for image in index.headers_in(row.study, row.series) for text in json.loads(image.header)]
    return first_echo(map(ImageHeader.from_json, texts))
