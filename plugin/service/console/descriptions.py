"""What a person knows a series by: read from one of its images, which never changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from plugin.intake.database.overview import Arrived

_KEPT: Final = 20_000
_LONGEST: Final = 200
_TAGS: Final = [
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "SeriesNumber",
    "StudyDate",
    "StudyTime",
    "Manufacturer",
    "ManufacturerModelName",
    "MagneticFieldStrength",
    "PatientName",
    "PatientID",
    "SpecificCharacterSet",
]


@dataclass(frozen=True, kw_only=True)
class Description:
    """Texts of an image's header; empty where it has none. Patients are shown to whom the site allows alone."""

    study: str = ""
    series: str = ""
    protocol: str = ""
    number: str = ""
    study_date: str = ""
    manufacturer: str = ""
    model: str = ""
    field_t: str = ""
    patient_name: str = ""
    patient_id: str = ""

    @property
    def title(self) -> str:
        """How the series is called in one line."""
        return self.series or self.protocol or "series without a description"


def describe_image(spool: Path, image: Arrived | None) -> Description:
    """Describe a series by one of its images; by nothing where that is gone or cannot be read."""
    if image is None:
        return Description()
    return _read(spool / "images" / image.study / image.series / f"{image.image}.dcm")


@lru_cache(maxsize=_KEPT)
def _read(path: Path) -> Description:
    try:
        head = dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        return Description(
            study=_text(head, "StudyDescription"),
            series=_text(head, "SeriesDescription"),
            protocol=_text(head, "ProtocolName"),
            number=_text(head, "SeriesNumber"),
            study_date=_date(_text(head, "StudyDate")),
            manufacturer=_text(head, "Manufacturer"),
            model=_text(head, "ManufacturerModelName"),
            field_t=_text(head, "MagneticFieldStrength"),
            patient_name=_text(head, "PatientName").replace("^", " ").strip(),
            patient_id=_text(head, "PatientID"),
        )
    except (OSError, InvalidDicomError, ValueError, TypeError, LookupError, AttributeError):
        return Description()


def _text(head: Dataset, keyword: str) -> str:
    """Return a text on one line, without control characters."""
    text = str(head.get(keyword) or "")[: 4 * _LONGEST]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST]


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 and text.isdigit() else ""
