"""Sequences that are encoded once, or without a detour through data sets.

A series of classic images says the same of each, and names every source of a slice twice: encoding that anew took
longer than everything else about an image.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence_item
from pydicom.tag import BaseTag, Tag

from dicom_io.derived.context.references import by_series, source_purpose
from dicom_io.explicit_vr import explicit_element
from dicom_io.source.file import MULTI_FRAME_CLASSES
from dicom_io.source.header import ImageHeader

_ITEM: Final = b"\xfe\xff\x00\xe0"


def sequence_element(keyword: str, items: Iterable[Dataset]) -> RawDataElement:
    """Encode a sequence whose texts are ASCII, or already in the character set of the object it goes into.

    Explicit VR little endian, items of defined length (PS3.5 §7.5), as all derived objects are written.
    """
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    for item in items:
        write_sequence_item(buffer, item, ["iso8859"])
    return _raw(keyword, buffer.getvalue())


def source_images_element(headers: Sequence[ImageHeader]) -> RawDataElement:
    """Encode what ``references.source_images`` makes."""
    purpose = _purpose()
    items = []
    for header in headers:
        is_frame = header.sop_class_uid in MULTI_FRAME_CLASSES
        number = _element("ReferencedFrameNumber", "IS", str(header.frame + 1)) if is_frame else b""
        alike = _element("SpatialLocationsPreserved", "CS", "YES")
        items.append(_item(_instance(header) + number + alike + purpose))
    return _raw("SourceImageSequence", b"".join(items))


def referenced_series_element(headers: Sequence[ImageHeader]) -> RawDataElement:
    """Encode what ``references.referenced_series`` makes."""
    items = []
    for uid, instances in by_series(headers):
        sequence = _element("ReferencedInstanceSequence", "SQ", b"".join(_item(_instance(one)) for one in instances))
        items.append(_item(sequence + _element("SeriesInstanceUID", "UI", uid)))
    return _raw("ReferencedSeriesSequence", b"".join(items))


def put(image: Dataset, *elements: RawDataElement) -> None:
    """Put encoded elements into an object that is written as explicit VR little endian."""
    for element in elements:
        image[element.tag] = element


def _instance(header: ImageHeader) -> bytes:
    sop_class = _element("ReferencedSOPClassUID", "UI", header.sop_class_uid)
    return sop_class + _element("ReferencedSOPInstanceUID", "UI", header.sop_instance_uid)


@lru_cache(maxsize=1)
def _purpose() -> bytes:
    element = sequence_element("PurposeOfReferenceCodeSequence", [source_purpose()])
    return _element("PurposeOfReferenceCodeSequence", "SQ", element.value or b"")


def _item(content: bytes) -> bytes:
    return _ITEM + struct.pack("<I", len(content)) + content


def _element(keyword: str, vr: str, content: str | bytes) -> bytes:
    tag = _tag(keyword)
    return explicit_element(tag.group, tag.element, vr, content)


def _raw(keyword: str, value: bytes) -> RawDataElement:
    return RawDataElement(_tag(keyword), "SQ", len(value), value, 0, False, True)


@lru_cache(maxsize=64)
def _tag(keyword: str) -> BaseTag:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return Tag(tag)
