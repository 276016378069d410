"""Field strength of an image in tesla, from its header."""

from __future__ import annotations

from typing import Final

from dicom_io.refusals import refuse
from dicom_io.source.header import ImageHeader
from recon.types import GAMMA_HZ_PER_TESLA

_AGREEMENT: Final = 0.05
"""Relative difference up to which field strength and frequency agree: Siemens' "3 T" is 2.89 T."""

_PLAUSIBLE_MHZ: Final = (4.0, 1100.0)
_PLAUSIBLE_T: Final = (0.1, 25.0)


def b0_tesla(header: ImageHeader) -> float:
    """Field strength of an image.

    ImagingFrequency is measured and MagneticFieldStrength a nominal label, so the frequency is used where it
    is plausible as megahertz (PS3.3 C.8.3.1); some releases write other units, which are not guessed.

    Raises
    ------
    Refusal
        ``no-field-strength`` if neither is usable; ``field-strength-conflict`` if both are and disagree.
    """
    nominal, frequency = header.field_strength_t, header.imaging_frequency_mhz
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
