"""Tolerant reading: a single value that cannot be read is missing, never an exception.

Values are read from the raw bytes, so that a damaged or non-conformant element that we do not need does not stop the
reading of an image, and free text (names, comments) stays undecoded.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Final, NamedTuple, cast

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

_BINARY: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}

tag_of: Final = cache(Tag)
"""Tag of a keyword."""


@contextmanager
def tolerant() -> Iterator[None]:
    """Silence the library's warnings about deviations in other vendors' images; they may quote values of the image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


class Private(NamedTuple):
    """A private element; ``vr`` is used where the file does not state one (PS3.5 §7.8)."""

    group: int
    creator: str
    element: int
    vr: str = "UN"


class Elements:
    """Elements of one data set (or sequence item), by keyword, or as ``Private``."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._texts: dict[str | Private, tuple[str, ...]] = {}

    def texts(self, name: str | Private) -> tuple[str, ...]:
        """Values of a text element without padding; empty if missing."""
        if name not in self._texts:
            self._texts[name] = _texts(self._value(self._tag(name)))
        return self._texts[name]

    def text(self, name: str | Private) -> str:
        """First value of a text element; empty if missing."""
        return next(iter(self.texts(name)), "")

    def numbers(self, name: str | Private) -> tuple[float, ...]:
        """Values of a numeric element; empty if missing or if one of them is not a finite number."""
        tag = self._tag(name)
        element = None if tag is None else self._elements.get(tag)
        if element is None or element.value is None:
            return ()
        raw, vr = cast("object", element), element.VR
        if vr in (None, "UN"):
            vr = name.vr if isinstance(name, Private) else dictionary_VR(name)
        try:
            if isinstance(raw, RawDataElement) and vr in _BINARY:
                values = _unpack(raw, _BINARY[vr])
            else:
                values = tuple(float(text) for text in _texts(element.value) if text)
        except (ValueError, TypeError, struct.error):
            return ()
        return values if all(math.isfinite(v) for v in values) else ()

    def vector(self, keyword: str, count: int) -> tuple[float, ...] | None:
        """Values of a numeric element, if they are as many as they should be."""
        values = self.numbers(keyword)
        return values if len(values) == count else None

    def number(self, name: str | Private) -> float | None:
        """First value of a numeric element."""
        return next(iter(self.numbers(name)), None)

    def integer(self, name: str | Private) -> int | None:
        """First value of a numeric element, if it is a whole number."""
        value = self.number(name)
        return int(value) if value is not None and value == int(value) else None

    def raw(self, name: Private) -> bytes:
        """Undecoded value; empty if missing."""
        value = self._value(self._tag(name))
        return value if isinstance(value, bytes) else b""

    def items(self, keyword: str) -> tuple[Elements, ...]:
        """Items of a sequence; empty if missing or not readable as one."""
        if keyword not in self.dataset:
            return ()
        try:
            return tuple(Elements(item) for item in self.dataset[keyword].value or ())
        except Exception:  # a damaged sequence raises nearly anything from the parser; it counts as missing
            return ()

    def _tag(self, name: str | Private) -> int | None:
        if isinstance(name, str):
            return tag_of(name)
        block = self._private_blocks.get((name.group, name.creator))
        return None if block is None else block | name.element

    @cached_property
    def _elements(self) -> Mapping[int, DataElement | RawDataElement]:
        """The elements by tag, as they were when the first was asked for, not decoded."""
        return dict(self.dataset.items())

    @cached_property
    def _private_blocks(self) -> Mapping[tuple[int, str], int]:
        """First tag of the block that each private creator reserves, by group and creator."""
        blocks: dict[tuple[int, str], int] = {}
        for tag in map(int, self._elements):
            group, element = tag >> 16, tag & 0xFFFF
            if group % 2 and 0x10 <= element <= 0xFF:
                for creator in _texts(self._value(tag))[:1]:
                    blocks.setdefault((group, creator), group << 16 | element << 8)
        return blocks

    def _value(self, tag: int | None) -> object | None:
        element = None if tag is None else self._elements.get(tag)
        return None if element is None else cast("object | None", element.value)


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
