"""What a derived image refers to: its source images, their series, and the equipment that took part.

References are encoded without a detour through data sets: a series of classic images names every source of a slice
twice, and making data sets of that took longer than everything else about an image.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence_item
from pydicom.tag import Tag

from dicom_io.derived.codes import Code
from dicom_io.derived.context.source import take
from dicom_io.explicit_vr import explicit_element
from dicom_io.identity import MANUFACTURER, MODEL_NAME, SOFTWARE_VERSIONS
from dicom_io.source.file import MULTI_FRAME_CLASSES
from dicom_io.source.header import ImageHeader

_tag = lru_cache(maxsize=64)(Tag)
_ITEM: Final = b"\xfe\xff\x00\xe0"
_SOURCE: Final = Code("121322", "DCM", "Source image for image processing operation")
_SCANNER: Final = Code("109101", "DCM", "Acquisition Equipment")
_SOFTWARE: Final = Code("109102", "DCM", "Processing Equipment")
_EQUIPMENT: Final = (
    "Manufacturer",
    "InstitutionName",
    "StationName",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
)


def sequence_element(keyword: str, items: Iterable[Dataset]) -> RawDataElement:
    """Encode a sequence whose texts are ASCII, or already in the character set of the object it goes into.

    Explicit VR little endian, items of defined length (PS3.5 §7.5), as all derived objects are written.
    """
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    for item in items:
        write_sequence_item(buffer, item, ["iso8859"])
    return _sequence(keyword, buffer.getvalue())


def put(image: Dataset, *elements: RawDataElement) -> None:
    """Put encoded elements into an object that is written as explicit VR little endian."""
    for element in elements:
        image[element.tag] = element


def source_images(headers: Sequence[ImageHeader]) -> RawDataElement:
    """Encode SourceImageSequence: every echo and component of the slice."""
    purpose = _purpose()
    items = []
    for header in headers:
        is_frame = header.sop_class_uid in MULTI_FRAME_CLASSES
        number = _element("ReferencedFrameNumber", "IS", str(header.frame + 1)) if is_frame else b""
        alike = _element("SpatialLocationsPreserved", "CS", "YES")
        items.append(_item(_instance(header) + number + alike + purpose))
    return _sequence("SourceImageSequence", b"".join(items))


def referenced_series(headers: Sequence[ImageHeader]) -> RawDataElement:
    """Encode ReferencedSeriesSequence (Common Instance Reference, PS3.3 C.12.2)."""
    return _sequence("ReferencedSeriesSequence", _series(headers, "ReferencedInstanceSequence"))


def source_evidence(headers: Sequence[ImageHeader]) -> RawDataElement:
    """Encode SourceImageEvidenceSequence: study, series and objects (PS3.3 Table C.17-3)."""
    series = _element("ReferencedSeriesSequence", "SQ", _series(headers, "ReferencedSOPSequence"))
    study = _element("StudyInstanceUID", "UI", headers[0].study_instance_uid)
    return _sequence("SourceImageEvidenceSequence", _item(series + study))


def contributing_equipment(source: Dataset, created: datetime) -> list[Dataset]:
    """Make the items of ContributingEquipmentSequence: the scanner, and this software.

    General Equipment describes what made this series, which is this software; the scanner is kept here.
    """
    scanner = take(source, _EQUIPMENT)
    if "Manufacturer" not in scanner:
        scanner.Manufacturer = "unknown"
    scanner.PurposeOfReferenceCodeSequence = [_SCANNER.item()]
    software = Dataset()
    software.PurposeOfReferenceCodeSequence = [_SOFTWARE.item()]
    software.Manufacturer, software.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    software.SoftwareVersions = SOFTWARE_VERSIONS
    software.ContributionDateTime = created.strftime("%Y%m%d%H%M%S")
    software.ContributionDescription = "Quantitative susceptibility mapping"
    return [scanner, software]


def _series(headers: Sequence[ImageHeader], keyword: str) -> bytes:
    """Encode an item for each series, with a sequence of its objects, in the order of their UIDs."""
    ordered = sorted(headers, key=lambda h: (h.series_instance_uid, h.sop_instance_uid))
    items = []
    for uid, group in groupby(ordered, key=lambda h: h.series_instance_uid):
        instances = {header.sop_instance_uid: header for header in group}.values()
        sequence = _element(keyword, "SQ", b"".join(_item(_instance(one)) for one in instances))
        # Elements of an item ascend by tag: ReferencedSOPSequence and ReferencedInstanceSequence come first.
        items.append(_item(sequence + _element("SeriesInstanceUID", "UI", uid)))
    return b"".join(items)


def _instance(header: ImageHeader) -> bytes:
    sop_class = _element("ReferencedSOPClassUID", "UI", header.sop_class_uid)
    return sop_class + _element("ReferencedSOPInstanceUID", "UI", header.sop_instance_uid)


@lru_cache(maxsize=1)
def _purpose() -> bytes:
    element = sequence_element("PurposeOfReferenceCodeSequence", [_SOURCE.item()])
    return _element("PurposeOfReferenceCodeSequence", "SQ", element.value or b"")


def _item(content: bytes) -> bytes:
    return _ITEM + struct.pack("<I", len(content)) + content


def _element(keyword: str, vr: str, content: str | bytes) -> bytes:
    tag = _tag(keyword)
    return explicit_element(tag.group, tag.element, vr, content)


def _sequence(keyword: str, value: bytes) -> RawDataElement:
    return RawDataElement(_tag(keyword), "SQ", len(value), value, 0, False, True)
