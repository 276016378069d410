"""Which way the main field points in the patient: patient z, but for open magnets whose field is vertical.

No element of an MR image states it. A vertical field is along the patient's antero-posterior axis for one who lies on
back or belly, and along left-right for one who lies on a side; its sign does not matter, for the dipole kernel is even.
"""

from __future__ import annotations

import re
from typing import Final

from dicom_io.refusals import refuse

Vector = tuple[float, float, float]

HORIZONTAL: Final[Vector] = (0.0, 0.0, 1.0)
"""Along patient z: cylindrical magnets, head or feet first, in every decubitus."""

_LYING_FLAT: Final = re.compile(r"[HF]F[SP]")
_ON_A_SIDE: Final = re.compile(r"[HF]FD[LR]")

VERTICAL_MODELS: Final = {
    "hitachi": re.compile(r"AIRIS|APERTO|ALTAIRE|OASIS", re.IGNORECASE),
    "siemens": re.compile(r"MAGNETOM C!|CONCERTO|RHAPSODY|MAGNETOM OPEN", re.IGNORECASE),
    "ge": re.compile(r"OVATION|OPENSPEED|PROFILE", re.IGNORECASE),
    "philips": re.compile(r"PANORAMA", re.IGNORECASE),
    "canon": re.compile(r"\b(OPART|ACCESS)\b", re.IGNORECASE),
}
"""ManufacturerModelName of open magnets by vendor. Their images are refused until the site says how the field lies."""


def vertical_field(patient_position: str) -> Vector:
    """Direction of a vertical field in the patient.

    Parameters
    ----------
    patient_position
        PatientPosition (PS3.3 C.7.3.1.1.2): HFS, FFP, HFDL and so on.

    Raises
    ------
    Refusal
        ``no-patient-position``: it is missing, or neither lying flat nor on a side.
    """
    if _LYING_FLAT.fullmatch(patient_position):
        return (0.0, 1.0, 0.0)
    if _ON_A_SIDE.fullmatch(patient_position):
        return (1.0, 0.0, 0.0)
    raise refuse("no-patient-position", found=patient_position or "missing")


def b0_in_patient(vendor: str, model: str, stated: Vector | None) -> Vector:
    """Direction of the main field in patient axes.

    Parameters
    ----------
    vendor, model
        ``NAME`` of the vendor file and ManufacturerModelName.
    stated
        What the site says; None if it says nothing.

    Raises
    ------
    Refusal
        ``vertical-field``: the magnet is known to be open, and the site says nothing about its field.
    """
    if stated is not None:
        return stated
    known = VERTICAL_MODELS.get(vendor)
    if known is not None and (found := known.search(model)):
        raise refuse("vertical-field", found=found.group(0))
    return HORIZONTAL
