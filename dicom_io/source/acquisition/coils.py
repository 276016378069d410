"""Images of single coil elements, stored beside the combined images of the same scan.

The phase of an element is that of one coil, and its signal covers a part of the head. The combined images are used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

_ELEMENT: Final = re.compile(r"[A-Z]{1,3}\d{1,2}")
"""Siemens' name of one element ("H1", "HE3"); several are "HE1-4", "HEA;HEP" or "T:HEA"."""

_NUMBERED: Final = re.compile(r"(.*?)\d+")


def is_element(coil: str) -> bool:
    """Whether a coil's name is one that scanners give to a single element."""
    return _ELEMENT.fullmatch(coil.split("\\")[-1]) is not None


def elements_of(coils: Iterable[str]) -> frozenset[str]:
    """Return those of the coils of one scan that are single elements: named so, or numbered names of the same stem."""
    names = frozenset(coils)
    if named := frozenset(filter(is_element, names)):
        return named
    stems = {name: found[1] for name in names if (found := _NUMBERED.fullmatch(name))}
    count = Counter(stems.values())
    return frozenset(name for name, stem in stems.items() if count[stem] > 1)
