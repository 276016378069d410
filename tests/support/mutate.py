"""Ways to damage a scan: bytes cut, flipped, dropped, repeated; elements dropped, retyped, set to junk, exchanged."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pydicom
import pydicom.config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.tag import Tag

_TEXT: Final = ("CS", "DS", "IS", "LO", "SH", "UI", "DA", "TM")

Scan = dict[str, bytes]
"""File name to content."""

JUNK: Final = ("", "0", "-1", "1e308", "nan", "7\\8\\9", "A" * 300, "\\\\\\", "ORIGINAL", "99999999999", "1.2.3", "P")
RETYPED: Final = ("LO", "UN", "OB", "US", "FD", "SQ", "IS")


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Cut, flip, drop, repeat or overwrite some bytes, mostly in the header."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(128, len(data)) if rng.random() < 0.8 else rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[at : at + rng.randint(1, 40)]
        elif kind == 3:
            data[at:at] = data[at : at + rng.randint(1, 40)]
        else:
            data[at : at + 4] = rng.randbytes(4)
        if len(data) < 200:
            break
    return bytes(data)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of elements.

    Parameters
    ----------
    kind
        ``"drop"``, ``"junk"``, ``"retype"`` or ``"exchange"`` (with the next image).
    element
        Which one, modulo their number, sequences searched.
    scope
        Every how many-th image is changed; 0 for the first alone.
    choice
        Which junk or type.
    """

    kind: str
    element: int
    scope: int
    choice: int


def mutate_elements(scan: Scan, changes: Sequence[Change]) -> Scan:
    """Apply changes to the elements of a scan's images, and write them."""
    images = {name: pydicom.dcmread(io.BytesIO(content)) for name, content in scan.items()}
    for change in changes:
        names = list(images)
        chosen = names[:1] if change.scope == 0 else names[:: change.scope]
        for place, name in enumerate(chosen):
            other = images[chosen[(place + 1) % len(chosen)]]
            with contextlib.suppress(ValueError, TypeError, OverflowError):  # the library cannot hold such a value
                _change(images[name], other, change)
    return {name: _written(image, scan[name]) for name, image in images.items()}


def _places(dataset: Dataset) -> list[tuple[Dataset, int]]:
    found = []
    for tag in list(dataset.keys()):
        if tag.group == 0x7FE0:
            continue
        found.append((dataset, int(tag)))
        if dataset[tag].VR == "SQ":
            for item in dataset[tag].value:
                found += _places(item)
    return found


def _change(dataset: Dataset, other: Dataset, change: Change) -> None:
    places = _places(dataset)
    holder, tag = places[change.element % len(places)]
    if change.kind == "drop":
        del holder[tag]
    elif change.kind == "exchange":
        if tag in other and holder is dataset:
            holder[tag], other[tag] = other[tag], holder[tag]
    elif change.kind == "retype":
        holder[tag] = _retyped(tag, RETYPED[change.choice % len(RETYPED)])
    else:
        vr, text = holder[tag].VR, JUNK[change.choice % len(JUNK)]
        holder[tag] = DataElement(Tag(tag), vr if vr in _TEXT else "LO", text)


def _retyped(tag: int, vr: str) -> DataElement:
    values: dict[str, object] = {"UN": b"\x01\x02", "OB": b"\xff" * 6, "US": 7, "FD": 1.5, "SQ": [], "IS": "3"}
    return DataElement(Tag(tag), vr, values.get(vr, "text"))


def _written(image: Dataset, original: bytes) -> bytes:
    stream = io.BytesIO()
    try:
        dcmwrite(stream, image)
    except Exception:  # what cannot be written is not an input
        return original
    return stream.getvalue()


def without_validation() -> None:
    """Let values that break the standard be set and written, as damaged images have them."""
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
