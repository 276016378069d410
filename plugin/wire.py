"""The few bytes that every received image costs anew: what stands before it in its file, and the answer to its sender.

Both are written from their tables in the standard, as building them with the libraries' data sets takes longer than
writing the image to the disk.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

from dicom_io.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_PREAMBLE: Final = b"\x00" * 128 + b"DICM"
_C_STORE_RSP: Final = 0x8001
_NO_DATA_SET: Final = 0x0101


def file_header(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Encode what stands before a data set in a file: preamble, prefix, file meta information (PS3.10 §7.1).

    Parameters
    ----------
    sop_class, sop_instance, transfer_syntax
        UIDs of the object and of how it is encoded.
    """
    before, behind = _constant_elements(sop_class, transfer_syntax)
    group = before + _explicit(0x0003, b"UI", sop_instance) + behind
    return _PREAMBLE + struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(group)) + group


@lru_cache(maxsize=128)
def _constant_elements(sop_class: str, transfer_syntax: str) -> tuple[bytes, bytes]:
    """Encode the elements before and behind the instance's UID."""
    version = struct.pack("<HH2sHI", 0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01"
    before = version + _explicit(0x0002, b"UI", sop_class)
    behind = _explicit(0x0010, b"UI", transfer_syntax) + _explicit(0x0012, b"UI", IMPLEMENTATION_CLASS_UID)
    return before, behind + _explicit(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, pad=b" ")


def _explicit(element: int, vr: bytes, text: str, pad: bytes = b"\x00") -> bytes:
    """Encode an element of group 2, explicit VR little endian (PS3.5 §7.1.2)."""
    value = _even(text, pad)
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def store_response(message_id: int, sop_class: str, sop_instance: str, status: int) -> bytes:
    """Encode the command set of a C-STORE response (PS3.7 §9.3.1.2), implicit VR little endian (§6.3.1).

    Parameters
    ----------
    message_id
        Of the request.
    sop_class, sop_instance
        As the request named them.
    status
        What became of it (PS3.4 §B.2.3).
    """
    group = b"".join(
        (
            _implicit(0x0002, _even(sop_class)),
            _implicit(0x0100, struct.pack("<H", _C_STORE_RSP)),
            _implicit(0x0120, struct.pack("<H", message_id)),
            _implicit(0x0800, struct.pack("<H", _NO_DATA_SET)),
            _implicit(0x0900, struct.pack("<H", status)),
            _implicit(0x1000, _even(sop_instance)),
        )
    )
    return _implicit(0x0000, struct.pack("<I", len(group))) + group


def _implicit(element: int, value: bytes) -> bytes:
    """Encode an element of group 0."""
    return struct.pack("<HHI", 0x0000, element, len(value)) + value


def _even(text: str, pad: bytes = b"\x00") -> bytes:
    """Encode a value to an even length (PS3.5 §6.2); a UID of letters that it must not have goes back as it came."""
    value = text.encode("iso8859-1")
    return value + pad if len(value) % 2 else value
