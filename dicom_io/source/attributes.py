"""Values of ``ImageHeader`` from the elements of an image.

Free text (protocol, descriptions, comments) is compared and searched here, and not kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements, Private
from dicom_io.source.file import MULTI_FRAME_CLASSES
from dicom_io.source.kinds import SEQUENCE_KINDS, image_kind, sequence_kind
from dicom_io.source.vendors import vendor_of

_TEXT: Final = {
    "sop_class_uid": "SOPClassUID",
    "sop_instance_uid": "SOPInstanceUID",
    "study_instance_uid": "StudyInstanceUID",
    "series_instance_uid": "SeriesInstanceUID",
    "frame_of_reference_uid": "FrameOfReferenceUID",
    "sequence_name": "SequenceName",
    "model": "ManufacturerModelName",
    "body_part": "BodyPartExamined",
    "patient_position": "PatientPosition",
}
_INTEGER: Final = {
    "series_number": "SeriesNumber",
    "instance_number": "InstanceNumber",
    "acquisition_number": "AcquisitionNumber",
    "temporal_position": "TemporalPositionIdentifier",
    "temporal_positions": "NumberOfTemporalPositions",
    "echo_number": "EchoNumbers",
}
_NUMBER: Final = {
    "field_strength_t": "MagneticFieldStrength",
    "imaging_frequency_mhz": "ImagingFrequency",
    "spacing_between_slices_mm": "SpacingBetweenSlices",
    "slice_thickness_mm": "SliceThickness",
}
_VECTOR: Final = {
    "image_position_mm": ("ImagePositionPatient", 3),
    "image_orientation": ("ImageOrientationPatient", 6),
    "pixel_spacing_mm": ("PixelSpacing", 2),
}
_COIL: Final = (
    "ReceiveCoilName",
    Private(0x0051, "SIEMENS MR HEADER", 0x0F),
    Private(0x0021, "SIEMENS MR SDI 02", 0x4F),
)  # by the standard; VB to VE; XA
_DISTORTION_TERMS: Final = ("ND", "DIS2D", "DIS3D", "GDC")
"""Siemens' terms, and Canon's."""

_FILTER_TERMS: Final = frozenset({"SWI", "SWAN", "SWIP", "HP", "FILTERED", "HOMODYNE", "PHA_HP", "PHASE_HP"})
_NO_FILTER: Final = re.compile(
    r"(?<![a-z])(not|non|no|un|without|w/?o|before|raw|ohne|sans)[ _.-]*"
    r"((homodyne|high.?pass|hpf?)[ _.-]*)?(filt[a-z]*)?"
    r"|(?<![a-z])filt[a-z]*[ _.:=-]*(off|no|none|free|0)(?![a-z0-9])",
    re.IGNORECASE,
)
"""Words that say of a phase that it was not filtered, or not yet."""

_FILTER_WORDS: Final = re.compile(
    r"(?<![a-z])(ge|pha|phase)?filt|homodyne|high.?pass|pha(se)?_?hp|(?<![a-z])hpf(?![a-z])|pha_images|(?<![a-z])swip(?![a-z])",
    re.IGNORECASE,
)
"""Words for filtered phase; ``Pha_Images`` is Siemens' name of the phase of a susceptibility weighted scan, SWIp the
name of Philips' product, GE's SWAN names it ``FILT_PHA``."""

_NO_DATE: Final = "19000101"

Patterns = Mapping[str, tuple[str, str]]
"""Name of a pattern to keyword and glob: which of the site's patterns the texts of an image match."""


def header_values(elements: Elements, patterns: Patterns) -> dict[str, Any]:
    """Values of ``ImageHeader`` that follow from the elements of one image, or of a frame as a classic image.

    The names of the ``patterns`` that match are kept as ``labels``.
    """
    echo_time_ms = elements.number("EchoTime")
    return {
        **{name: elements.text(keyword) for name, keyword in _TEXT.items()},
        **{name: elements.integer(keyword) for name, keyword in _INTEGER.items()},
        **{name: elements.vector(keyword, count) for name, (keyword, count) in _VECTOR.items()},
        **{name: elements.number(keyword) for name, keyword in _NUMBER.items()},
        **_meaning(elements),
        "rows": elements.integer("Rows") or 0,
        "columns": elements.integer("Columns") or 0,
        "acquired": _acquired(elements),
        "protocol_sha256": hashlib.sha256(elements.text("ProtocolName").encode()).hexdigest(),
        "scanning_sequence": elements.texts("ScanningSequence"),
        "distortion": next((value for value in elements.texts("ImageType") if value in _DISTORTION_TERMS), ""),
        "echo_time_s": None if echo_time_ms is None else round(echo_time_ms * 1e-3, 9),
        "is_normalised": "NORM" in elements.texts("ImageType"),
        "coil": "\\".join(filter(None, [*(elements.text(name) for name in _COIL), _used_elements(elements)])),
        "acquired_matrix": _acquired_matrix(elements),
        "labels": tuple(sorted(name for name, pattern in patterns.items() if _matches(elements, *pattern))),
    }


def _meaning(elements: Elements) -> dict[str, Any]:
    """Return what the vendor's row of the table says of the image."""
    vendor = vendor_of(elements)
    kind = vendor.other_kind(elements) or sequence_kind(elements) or image_kind(elements)
    component = vendor.component(elements) if not kind or kind in SEQUENCE_KINDS else None
    scale = None if component is None else vendor.value_scale(elements, component)
    multi_frame = elements.text("SOPClassUID") in MULTI_FRAME_CLASSES
    return {
        "vendor": vendor.name,
        "component": component,
        "other_kind": kind,
        "value_slope": None if scale is None else scale.slope,
        "value_intercept": None if scale is None else scale.intercept,
        "on_common_scale": scale is None or scale.is_common,
        "filter_hint": "" if component in (None, Component.MAGNITUDE) else _filter_hint(elements),
        "phase_difference": vendor.makes_phase_differences(elements),
        "declared_slices": vendor.declared_slices(elements),
        "declared_echoes": vendor.declared_echoes(elements),
        "declared_images": None if multi_frame else elements.integer("ImagesInAcquisition"),
    }


def _matches(elements: Elements, keyword: str, glob: str) -> bool:
    return any(fnmatchcase(text.casefold(), glob.casefold()) for text in elements.texts(keyword) or ("",))


def _acquired_matrix(elements: Elements) -> tuple[int, int] | None:
    """Rows and columns of the k-space that was acquired, from AcquisitionMatrix or the steps of Enhanced MR.

    AcquisitionMatrix holds the steps of frequency encoding in its first half and those of phase encoding in its second,
    each at one of two places (PS3.3 C.8.3.1). Scanners do not agree what the places mean, but on the direction: phase
    encoding along the columns (``COL``) makes rows.
    """
    matrix = elements.vector("AcquisitionMatrix", 4)
    if matrix is not None:
        frequency, phase = int(max(matrix[:2])), int(max(matrix[2:]))
    else:
        frequency = elements.integer("MRAcquisitionFrequencyEncodingSteps") or 0
        phase = elements.integer("MRAcquisitionPhaseEncodingStepsInPlane") or 0
    direction = elements.text("InPlanePhaseEncodingDirection")
    if min(frequency, phase) <= 0 or (direction not in ("ROW", "COL", "COLUMN") and frequency != phase):
        return None
    return (frequency, phase) if direction == "ROW" else (phase, frequency)


def _acquired(elements: Elements) -> str:
    """Date and time of acquisition; a time without a date, or one of midnight sharp, is what de-identification leaves.

    The first is used, on a day that is none, for it distinguishes the scans of a study; the second counts as missing.
    """
    date, time = elements.text("AcquisitionDate"), elements.text("AcquisitionTime")
    if not time:
        stated = elements.text("AcquisitionDateTime")
        date, time = stated[:8], re.split("[+-]", stated[8:])[0]
    return (date or _NO_DATE) + time if time.strip("0.") else ""


def _used_elements(elements: Elements) -> str:
    """Names of the coil elements that Enhanced MR states as used; empty where all of them are."""
    defined = elements.items("MultiCoilDefinitionSequence")
    used = [one.text("MultiCoilElementName") for one in defined if one.text("MultiCoilElementUsed") == "YES"]
    return ";".join(used) if len(used) < len(defined) else ""


def _filter_hint(elements: Elements) -> str:
    """Word in ImageType, SeriesDescription or ImageComments by which scanners mark filtered phase; empty if none."""
    for value in elements.texts("ImageType"):
        if value in _FILTER_TERMS:
            return value
    for keyword in ("SeriesDescription", "ImageComments"):
        found = _FILTER_WORDS.search(_NO_FILTER.sub(" ", elements.text(keyword)))
        if found:
            return found.group(0).lower()
    return ""
