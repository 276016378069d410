"""Coded concepts in derived objects (PS3.16)."""

from __future__ import annotations

from typing import NamedTuple

from pydicom.dataset import Dataset


class Code(NamedTuple):
    """A coded concept (PS3.3 Table 8.8-1)."""

    value: str
    scheme: str
    meaning: str

    def item(self) -> Dataset:
        """Make the item of a code sequence."""
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = self
        return item


IMAGE_PROCESSING = Code("110001", "DCM", "Image Processing")
BRAIN = Code("12738006", "SCT", "Brain")
