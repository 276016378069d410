"""Tolerant reading of single elements: a value that cannot be read is missing, never an exception.

Values are read from the raw bytes, so that a damaged or non-conformant element that we do not need does not stop the
reading of an image, and free text (names, comments) stays undecoded.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import Final, cast

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

_BINARY: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}


class Elements:
    """Elements of one data set (or sequence item), by keyword, or by tag for private ones."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Values of a text element without padding; empty if missing."""
        return _texts(self._value(_tag(keyword)))

    def text(self, keyword: str) -> str:
        """First value of a text element; empty if missing."""
        return next(iter(self.texts(keyword)), "")

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Values of a numeric element; empty if missing or if one of them is not a finite number."""
        return self._numbers(_tag(keyword), dictionary_VR(keyword))

    def number(self, keyword: str) -> float | None:
        """First value of a numeric element."""
        return next(iter(self.numbers(keyword)), None)

    def integer(self, keyword: str) -> int | None:
        """First value of a numeric element, if it is a whole number."""
        return _whole(self.number(keyword))

    def private_numbers(self, group: int, creator: str, element: int, vr: str) -> tuple[float, ...]:
        """Values of a private element; ``vr`` is used where the file does not state one (PS3.5 §7.8)."""
        tag = self._private_tag(group, creator, element)
        return () if tag is None else self._numbers(tag, vr)

    def private_integer(self, group: int, creator: str, element: int, vr: str) -> int | None:
        """First value of a private element, if it is a whole number."""
        return _whole(next(iter(self.private_numbers(group, creator, element, vr)), None))

    def private_texts(self, group: int, creator: str, element: int) -> tuple[str, ...]:
        """Values of a private text element."""
        tag = self._private_tag(group, creator, element)
        return () if tag is None else _texts(self._value(tag))

    def private_bytes(self, group: int, creator: str, element: int) -> bytes:
        """Undecoded value of a private element; empty if missing."""
        tag = self._private_tag(group, creator, element)
        value = None if tag is None else self._value(tag)
        return value if isinstance(value, bytes) else b""

    def items(self, keyword: str) -> tuple[Elements, ...]:
        """Items of a sequence; empty if missing or not readable as one."""
        if keyword not in self.dataset:
            return ()
        try:
            return tuple(Elements(item) for item in self.dataset[keyword].value or ())
        except Exception:  # a damaged sequence raises nearly anything from the parser; it counts as missing
            return ()

    def _private_tag(self, group: int, creator: str, element: int) -> int | None:
        for tag in self.dataset.keys():  # noqa: SIM118  (iterating a data set decodes its elements)
            if tag.group == group and 0x10 <= tag.elem <= 0xFF and _texts(self._value(tag))[:1] == (creator,):
                return group << 16 | tag.elem << 8 | element
        return None

    def _value(self, tag: int) -> object | None:
        element = self.dataset.get_item(tag, keep_deferred=True)
        return None if element is None else cast("object | None", element.value)

    def _numbers(self, tag: int, default_vr: str) -> tuple[float, ...]:
        element = self.dataset.get_item(tag, keep_deferred=True)
        if element is None or element.value is None:
            return ()
        raw = cast("object", element)
        vr = element.VR if element.VR not in (None, "UN") else default_vr
        try:
            if isinstance(raw, RawDataElement) and vr in _BINARY:
                values = _unpack(raw, _BINARY[vr])
            else:
                values = tuple(float(text) for text in _texts(element.value) if text)
        except (ValueError, TypeError, struct.error):
            return ()
        return values if all(math.isfinite(v) for v in values) else ()


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag


def _unpack(element: RawDataElement, code: str) -> tuple[float, ...]:
    raw = element.value or b""
    order = "<" if element.is_little_endian else ">"
    return struct.unpack(f"{order}{len(raw) // struct.calcsize(code)}{code}", raw)


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        parts = value.split("\\")
    else:
        parts = [str(part) for part in value] if isinstance(value, Iterable) else [str(value)]
    texts = tuple(part.strip(" \0") for part in parts)
    return texts if any(texts) else ()


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and value == int(value) else None
