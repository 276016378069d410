"""Elements in explicit VR little endian (PS3.5 §7.1.2), for the few objects that are encoded by hand."""

from __future__ import annotations

import struct
from typing import Final

_LONG: Final = frozenset({"OB", "SQ"})
"""Value representations whose length takes four bytes (PS3.5 Table 7.1-1), among those used here."""


def explicit_element(group: int, element: int, vr: str, content: str | bytes) -> bytes:
    """Encode an element of a tag, value representation and value."""
    value = even(content, b"\0" if vr == "UI" else b" ")
    if vr in _LONG:
        return struct.pack("<HH2sHI", group, element, vr.encode(), 0, len(value)) + value
    return struct.pack("<HH2sH", group, element, vr.encode(), len(value)) + value


def even(content: str | bytes, pad: bytes = b"\0") -> bytes:
    """Encode a value to an even length (PS3.5 §6.2); malformed characters of a UID are sent back as they came."""
    value = content.encode("iso8859-1") if isinstance(content, str) else content
    return value + pad if len(value) % 2 else value
