"""Coded concepts in derived objects (PS3.16)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

IMAGE_PROCESSING = Code("110001", "DCM", "Image Processing")
BRAIN = Code("12738006", "SCT", "Brain")


def code_item(code: Code) -> Dataset:
    """Make the item of a code sequence (PS3.3 Table 8.8-1)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code[:3]
    return item
