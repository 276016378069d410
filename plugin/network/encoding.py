"""The head of the file of each received image, and the answer to its sender.

Both are written from their tables in the standard, which is faster than the libraries' data sets. The head: 273
images/s, 244 with pydicom's; 0.81 s of processor time, 1.07 s with pydicom's (measured as in
:mod:`plugin.network.pynetdicom_patches`).
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

from dicom_io.explicit_vr import even, explicit_element
from dicom_io.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_PREAMBLE: Final = b"\x00" * 128 + b"DICM"
_C_STORE_RSP: Final = 0x8001
_NO_DATA_SET: Final = 0x0101


def file_header(sop_class: str, sop_instance: str, transfer_syntax: str, private_information: bytes = b"") -> bytes:
    """Encode the head of a file from its UIDs: preamble, prefix, file meta information (PS3.10 §7.1)."""
    before, after = _constant_elements(sop_class, transfer_syntax)
    group = before + explicit_element(2, 0x0003, "UI", sop_instance) + after
    if private_information:
        group += explicit_element(2, 0x0100, "UI", IMPLEMENTATION_CLASS_UID)
        group += explicit_element(2, 0x0102, "OB", private_information)
    return _PREAMBLE + explicit_element(2, 0x0000, "UL", struct.pack("<I", len(group))) + group


@lru_cache(maxsize=128)
def _constant_elements(sop_class: str, transfer_syntax: str) -> tuple[bytes, bytes]:
    """Encode the elements before and after the instance's UID."""
    version = explicit_element(2, 0x0001, "OB", b"\x00\x01")
    before = version + explicit_element(2, 0x0002, "UI", sop_class)
    after = explicit_element(2, 0x0010, "UI", transfer_syntax)
    after += explicit_element(2, 0x0012, "UI", IMPLEMENTATION_CLASS_UID)
    return before, after + explicit_element(2, 0x0013, "SH", IMPLEMENTATION_VERSION_NAME)


def store_response(message_id: int, sop_class: str, sop_instance: str, status: int) -> bytes:
    """Encode the command set of a C-STORE response (PS3.7 §9.3.1.2), implicit VR little endian (§6.3.1).

    ID and UIDs are those of the request; the status is one of PS3.4 §B.2.3.
    """
    group = b"".join(
        (
            _implicit(0x0002, even(sop_class)),
            _implicit(0x0100, struct.pack("<H", _C_STORE_RSP)),
            _implicit(0x0120, struct.pack("<H", message_id)),
            _implicit(0x0800, struct.pack("<H", _NO_DATA_SET)),
            _implicit(0x0900, struct.pack("<H", status)),
            _implicit(0x1000, even(sop_instance)),
        )
    )
    return _implicit(0x0000, struct.pack("<I", len(group))) + group


def _implicit(element: int, value: bytes) -> bytes:
    """Encode an element of group 0."""
    return struct.pack("<HHI", 0x0000, element, len(value)) + value
