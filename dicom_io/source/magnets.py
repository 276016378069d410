"""Direction of the main field in the patient: patient z, except in open magnets, whose field is vertical.

No element of an MR image states it. A vertical field is along the antero-posterior axis of a patient who lies supine or
prone, and along left-right of one who lies on a side; its sign does not matter, for the dipole kernel is even.
"""

from __future__ import annotations

import re
from typing import Final

from dicom_io.refusals import refuse
from dicom_io.source.header import ImageHeader
from dicom_io.source.vendors import vendor_named

Vector = tuple[float, float, float]

_HORIZONTAL: Final[Vector] = (0.0, 0.0, 1.0)
_SUPINE_OR_PRONE: Final = re.compile(r"[HF]F[SP]")
_ON_A_SIDE: Final = re.compile(r"[HF]FD[LR]")


def b0_in_patient(header: ImageHeader) -> Vector:
    """Direction of the main field in patient axes (left, posterior, head).

    Raises
    ------
    Refusal
        ``vertical-field``: the magnet is known to be open, and the site does not state its field;
        ``no-patient-position``: the field is vertical, and PatientPosition (PS3.3 C.7.3.1.1.2) is neither supine,
        prone nor a decubitus.
    """
    if header.b0_stated == "vertical":
        return _vertical(header.patient_position)
    if header.b0_stated == "horizontal":
        return _HORIZONTAL
    if header.b0_stated is not None:
        return header.b0_stated
    open_magnets = vendor_named(header.vendor).open_magnets
    if open_magnets and (found := re.search(open_magnets, header.model, re.IGNORECASE)):
        raise refuse("vertical-field", found=found.group(0))
    return _HORIZONTAL


def _vertical(patient_position: str) -> Vector:
    if _SUPINE_OR_PRONE.fullmatch(patient_position):
        return (0.0, 1.0, 0.0)
    if _ON_A_SIDE.fullmatch(patient_position):
        return (1.0, 0.0, 0.0)
    raise refuse("no-patient-position", found=patient_position or "missing")
