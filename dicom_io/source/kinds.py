"""Images that are not the signal of a gradient echo, by what the standard's own elements say of them.

The answer is a code of ``dicom_io.refusals``. A pulse sequence of another kind concerns all images of a scan; the other
kinds concern one image, which may be beside components that are reconstructed.
"""

from __future__ import annotations

import re
from typing import Final

from dicom_io.source.elements import Elements

SEQUENCE_KINDS: Final = frozenset({"epi", "not-gradient-echo", "inversion-recovery", "velocity-encoded", "balanced"})
"""Codes that concern a whole scan: its magnitude and phase still belong together."""

_FIELD_MAP_TERMS: Final = frozenset({"FIELD_MAP", "FIELD MAP", "FIELDMAP", "B0", "B0 MAP", "B0_MAP", "B0MAP"})
_SUSCEPTIBILITY_TERMS: Final = frozenset({"QSM", "QSM_MAP", "CHI", "CHI_MAP", "SUSCEPTIBILITY"})
_MEAN_TERMS: Final = frozenset({"MEAN", "AVERAGE", "AVG", "ECHO_MEAN", "MEAN_ECHO", "SUM", "ECHO_SUM"})
_WEIGHTED_TERMS: Final = frozenset({"SWI", "SWIP", "SWAN", "MNIP", "MIP", "MINIP", "MIN_IP", "PROJECTION IMAGE"})
_PROCESSED_TERMS: Final = frozenset(
    {
        *("MPR", "DIFFUSION", "ADC", "MASK", "B1", "B1 MAP", "B1_MAP", "FLIP ANGLE MAP"),
        *("T2_STAR_MAP", "T2STAR_MAP", "T2* MAP", "T2 MAP", "T2_MAP", "T1 MAP", "T1_MAP", "R2_STAR_MAP", "R2STAR_MAP"),
        *("R2* MAP", "R2 MAP", "R2_MAP", "RHO MAP"),
    }
)
"""Results of susceptibility weighting, projections and maps carry "M" too, but are not the magnitude of an echo."""

_VELOCITY_TERMS: Final = frozenset({"PCA", "M_PCA", "FLOW_ENCODED", "VENC"})
_UNIT_KINDS: Final = {
    **dict.fromkeys(("hz", "khz", "rad/s", "1/s", "s-1", "/s"), "field-map"),
    **dict.fromkeys(("cm/s", "mm/s", "m/s"), "velocity-encoded"),
    **dict.fromkeys(("ppm", "ppb", "[ppm]", "[ppb]"), "susceptibility-map"),
    **dict.fromkeys(("ms", "s"), "processed-image"),
}
"""Units of stored values that neither magnitude nor phase has, by RescaleType or Real World Value Mapping."""

_BALANCED_TERMS: Final = frozenset({"FREE_PRECESSION", "TIME_REVERSED"})
_EPI_NAME: Final = re.compile(r"\*?(ep(i|_|fid|se|2d|3d)|[a-z]{2,3}epi)", re.IGNORECASE)
"""Names of sequences: Siemens' ``*epfid2d1_64``, Canon's ``SEEPI2D``, United Imaging's ``epi_dti``."""


def sequence_kind(elements: Elements) -> str:
    """Return the code of a pulse sequence whose images are not those of a plain gradient echo; empty if it is one.

    ScanningSequence RM, research mode, is stated by real gradient echoes of GE and Siemens, so it says nothing.
    """
    sequences = elements.texts("ScanningSequence")
    if _is_echo_planar(elements):
        return "epi"
    if _is_inverted(elements):
        return "inversion-recovery"
    if "SE" in sequences or elements.text("EchoPulseSequence") in ("SPIN", "BOTH"):
        return "not-gradient-echo"
    if elements.text("SteadyStatePulseSequence") in _BALANCED_TERMS:
        return "balanced"
    return "velocity-encoded" if _is_velocity_encoded(elements) else ""


def _is_echo_planar(elements: Elements) -> bool:
    stated = "EP" in elements.texts("ScanningSequence") or elements.text("EchoPlanarPulseSequence") == "YES"
    return stated or any(_EPI_NAME.match(elements.text(name)) for name in ("SequenceName", "PulseSequenceName"))


def _is_inverted(elements: Elements) -> bool:
    stated = elements.text("InversionRecovery")
    if stated == "YES" or "IR" in elements.texts("ScanningSequence"):
        return True
    times_ms = (*elements.numbers("InversionTime"), *elements.numbers("InversionTimes"))
    return stated != "NO" and any(time > 0 for time in times_ms)


def _is_velocity_encoded(elements: Elements) -> bool:
    terms = elements.texts("ImageType")
    encoded_cm_s = (
        *elements.numbers("VelocityEncodingMinimumValue"),
        *elements.numbers("VelocityEncodingMaximumValue"),
    )
    return (
        elements.text("PhaseContrast") == "YES"
        or any("VELOCITY" in term for term in terms)
        or not _VELOCITY_TERMS.isdisjoint((*terms, elements.text("AcquisitionContrast")))
        or any(value != 0 for value in encoded_cm_s)
        or _kind_by_unit(elements) == "velocity-encoded"
    )


def image_kind(elements: Elements) -> str:
    """Return the code of an image that shows something else than a component of one echo; empty if nothing says so."""
    terms = frozenset(elements.texts("ImageType"))
    if terms & _FIELD_MAP_TERMS:
        return "field-map"
    if terms & _SUSCEPTIBILITY_TERMS:
        return "susceptibility-map"
    if terms & _WEIGHTED_TERMS:
        return "weighted-image"
    if terms & _PROCESSED_TERMS or elements.text("ImageType") == "DERIVED":
        return "processed-image"
    if terms & _MEAN_TERMS:
        return "mean-of-echoes"
    return _kind_by_unit(elements)


def _kind_by_unit(elements: Elements) -> str:
    mappings = elements.items("RealWorldValueMappingSequence")
    coded = [unit.text("CodeValue") for one in mappings for unit in one.items("MeasurementUnitsCodeSequence")]
    kinds = (_UNIT_KINDS.get(unit.lower(), "") for unit in (elements.text("RescaleType"), *coded))
    return next((kind for kind in kinds if kind), "")
