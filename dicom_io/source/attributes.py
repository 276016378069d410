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
from dicom_io.source.elements import Elements
from dicom_io.source.file import MULTI_FRAME_CLASSES
from dicom_io.source.vendors import vendor_of

_DISTORTION_TERMS: Final = ("ND", "DIS2D", "DIS3D")
_FILTER_TERMS: Final = frozenset({"SWI", "SWAN", "SWIP", "HP", "FILTERED", "HOMODYNE", "PHA_HP", "PHASE_HP"})
_FILTER_WORDS: Final = re.compile(r"(?<!un)(?<!un-)filter|homodyne|high.?pass|pha_hp|\bhpf\b", re.IGNORECASE)

Patterns = Mapping[str, tuple[str, str]]
"""Name of a pattern to keyword and glob: which of the site's patterns the texts of an image match."""


def header_values(elements: Elements, patterns: Patterns) -> dict[str, Any]:
    """Values of ``ImageHeader`` that follow from the elements of one image or frame.

    Parameters
    ----------
    elements
        The image, or the frame as a classic image.
    patterns
        Named globs over texts; the names of those that match are kept as ``labels``.
    """
    return {
        "rows": elements.integer("Rows") or 0,
        "columns": elements.integer("Columns") or 0,
        **_identity(elements),
        **_meaning(elements),
        **_physics(elements),
        **_plane(elements),
        **_equipment(elements),
        "labels": tuple(sorted(name for name, pattern in patterns.items() if _matches(elements, *pattern))),
    }


def _matches(elements: Elements, keyword: str, glob: str) -> bool:
    return any(fnmatchcase(text.casefold(), glob.casefold()) for text in elements.texts(keyword) or ("",))


def _equipment(elements: Elements) -> dict[str, Any]:
    coil = elements.text("ReceiveCoilName") or "".join(elements.private_texts(0x0051, "SIEMENS MR HEADER", 0x0F)[:1])
    return {
        "model": elements.text("ManufacturerModelName"),
        "body_part": elements.text("BodyPartExamined"),
        "patient_position": elements.text("PatientPosition"),
        "coil": coil,
        "acquired_matrix": _acquired_matrix(elements),
    }


def _acquired_matrix(elements: Elements) -> tuple[int, int] | None:
    """Rows and columns of the k-space that was acquired, from AcquisitionMatrix or the steps of Enhanced MR.

    AcquisitionMatrix: frequency rows, frequency columns, phase rows, phase columns, two of them 0 (PS3.3 C.8.3.1).
    """
    matrix = elements.numbers("AcquisitionMatrix")
    if len(matrix) == 4:
        rows, columns = int(max(matrix[0], matrix[2])), int(max(matrix[1], matrix[3]))
    else:
        frequency = elements.integer("MRAcquisitionFrequencyEncodingSteps") or 0
        phase = elements.integer("MRAcquisitionPhaseEncodingStepsInPlane") or 0
        along_rows = elements.text("InPlanePhaseEncodingDirection") == "ROW"
        rows, columns = (frequency, phase) if along_rows else (phase, frequency)
    return (rows, columns) if min(rows, columns) > 0 else None


def _identity(elements: Elements) -> dict[str, Any]:
    return {
        "sop_class_uid": elements.text("SOPClassUID"),
        "sop_instance_uid": elements.text("SOPInstanceUID"),
        "study_instance_uid": elements.text("StudyInstanceUID"),
        "series_instance_uid": elements.text("SeriesInstanceUID"),
        "frame_of_reference_uid": elements.text("FrameOfReferenceUID"),
        "series_number": elements.integer("SeriesNumber"),
        "instance_number": elements.integer("InstanceNumber"),
        "acquisition_number": elements.integer("AcquisitionNumber"),
        "temporal_position": elements.integer("TemporalPositionIdentifier"),
        "acquired": elements.text("AcquisitionDate") + elements.text("AcquisitionTime"),
        "protocol_sha256": hashlib.sha256(elements.text("ProtocolName").encode()).hexdigest(),
    }


def _meaning(elements: Elements) -> dict[str, Any]:
    vendor = vendor_of(elements)
    component = vendor.component(elements)
    scale = None if component is None else vendor.value_scale(elements, component)
    multi_frame = elements.text("SOPClassUID") in MULTI_FRAME_CLASSES
    return {
        "vendor": vendor.name,
        "component": component,
        "value_slope": None if scale is None else scale.slope,
        "value_intercept": None if scale is None else scale.intercept,
        "filter_hint": "" if component in (None, Component.MAGNITUDE) else _filter_hint(elements),
        "phase_difference": vendor.makes_phase_differences(elements),
        "declared_slices": vendor.declared_slices(elements),
        "declared_echoes": vendor.declared_echoes(elements),
        "declared_images": None if multi_frame else elements.integer("ImagesInAcquisition"),
        "temporal_positions": elements.integer("NumberOfTemporalPositions"),
        "distortion": next((value for value in elements.texts("ImageType") if value in _DISTORTION_TERMS), ""),
        "sequence_name": elements.text("SequenceName"),
        "scanning_sequence": elements.texts("ScanningSequence"),
    }


def _physics(elements: Elements) -> dict[str, Any]:
    echo_time_ms = elements.number("EchoTime")
    return {
        "echo_number": elements.integer("EchoNumbers"),
        "echo_time_s": None if echo_time_ms is None else round(echo_time_ms * 1e-3, 9),
        "field_strength_t": elements.number("MagneticFieldStrength"),
        "imaging_frequency_mhz": elements.number("ImagingFrequency"),
    }


def _plane(elements: Elements) -> dict[str, Any]:
    return {
        "image_position_mm": _exactly(3, elements.numbers("ImagePositionPatient")),
        "image_orientation": _exactly(6, elements.numbers("ImageOrientationPatient")),
        "pixel_spacing_mm": _exactly(2, elements.numbers("PixelSpacing")),
    }


def _exactly(count: int, values: tuple[float, ...]) -> tuple[float, ...] | None:
    return values if len(values) == count else None


def _filter_hint(elements: Elements) -> str:
    """Word in ImageType, SeriesDescription or ImageComments by which scanners mark filtered phase."""
    for value in elements.texts("ImageType"):
        if value in _FILTER_TERMS:
            return value
    for keyword in ("SeriesDescription", "ImageComments"):
        found = _FILTER_WORDS.search(elements.text(keyword))
        if found:
            return found.group(0).lower()
    return ""
