"""Acquisitions: which images belong together, and whether all of them are there."""

from dicom_io.assembly.completeness import Completeness, assess
from dicom_io.assembly.grouping import Acquisition, group_acquisitions

__all__ = ["Acquisition", "Completeness", "assess", "group_acquisitions"]
