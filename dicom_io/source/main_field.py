"""Strength and direction of the main field, from the header of an image.

Its direction is patient z, except in open magnets, whose field is vertical; no element of an MR image states it. A
vertical field is along the antero-posterior axis of a patient who lies supine or prone, and along left-right of one who
lies on a side; its sign does not matter, for the dipole kernel is even.
"""

from __future__ import annotations

import math
import re
from typing import Final

from dicom_io.refusals import refuse
from dicom_io.source.geometry import Vector, axes, dot
from dicom_io.source.header import ImageHeader
from dicom_io.source.vendors import vendor_named
from recon.types import GAMMA_HZ_PER_TESLA

_AGREEMENT: Final = 0.05
"""Relative difference up to which field strength and frequency agree: Siemens' "3 T" is 2.89 T."""

_PLAUSIBLE_MHZ: Final = (4.0, 1100.0)
_PLAUSIBLE_T: Final = (0.1, 25.0)
_HORIZONTAL: Final[Vector] = (0.0, 0.0, 1.0)
_SUPINE_OR_PRONE: Final = re.compile(r"[HF]F[SP]")
_ON_A_SIDE: Final = re.compile(r"[HF]FD[LR]")


def b0_tesla(header: ImageHeader) -> float:
    """Field strength of an image, as ``field_strength_t`` has it of its elements."""
    return field_strength_t(header.field_strength_t, header.imaging_frequency_mhz)


def field_strength_t(nominal: float | None, frequency: float | None) -> float:
    """Field strength from MagneticFieldStrength (T) and ImagingFrequency (MHz).

    ImagingFrequency is measured and MagneticFieldStrength a nominal label, so the frequency is used where it
    is plausible as megahertz (PS3.3 C.8.3.1); some releases write other units, which are not guessed.

    Raises
    ------
    Refusal
        ``no-field-strength`` if neither is usable; ``field-strength-conflict`` if both are and disagree.
    """
    measured = None
    if frequency is not None and _PLAUSIBLE_MHZ[0] <= frequency <= _PLAUSIBLE_MHZ[1]:
        measured = frequency * 1e6 / GAMMA_HZ_PER_TESLA
    if nominal is not None and not _PLAUSIBLE_T[0] <= nominal <= _PLAUSIBLE_T[1]:
        nominal = None
    if measured is None:
        if nominal is None:
            raise refuse("no-field-strength")
        return nominal
    if nominal is not None and abs(measured - nominal) > _AGREEMENT * nominal:
        raise refuse("field-strength-conflict", found=f"{nominal:g}", frequency=f"{frequency:g}")
    return measured


def b0_direction(header: ImageHeader) -> Vector:
    """Express the main field in image axes: its components along row, column and normal, unit length.

    Raises
    ------
    Refusal
        ``no-geometry``; ``vertical-field``: the magnet is known to be open, and the site does not state its field;
        ``no-patient-position``: the field is vertical, and PatientPosition (PS3.3 C.7.3.1.1.2) is neither supine,
        prone nor a decubitus.
    """
    in_patient = _b0_in_patient(header)
    row, column, normal = axes(header)
    field = (dot(row, in_patient), dot(column, in_patient), dot(normal, in_patient))
    length = math.sqrt(dot(field, field))
    return (field[0] / length, field[1] / length, field[2] / length)


def _b0_in_patient(header: ImageHeader) -> Vector:
    """Direction of the main field in patient axes (left, posterior, head)."""
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
