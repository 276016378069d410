"""Coded concepts in derived objects (PS3.16)."""

from __future__ import annotations

from typing import NamedTuple

from pydicom.dataset import Dataset


class Code(NamedTuple):
    """A coded concept (PS3.3 Table 8.8-1)."""

    value: str
    scheme: str
    meaning: str


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """Make the item of a code sequence (PS3.3 Table 8.8-1)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
