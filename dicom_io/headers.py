"""One image as grouping, completeness and geometry see it: plain values, no pixels.

Names, numbers and free text of patients are left out. UIDs and times are not, since derived images refer to
their sources by them: a stored header is still to be kept from everybody but the service.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from pydicom.dataset import Dataset

from dicom_io.components import Component
from dicom_io.objects.elements import Elements
from dicom_io.objects.enhanced import classic_frames
from dicom_io.objects.image_file import MULTI_FRAME_CLASSES, ImageFile, read_image_file
from dicom_io.refusals import refuse
from dicom_io.vendors import vendor_of

_DISTORTION_TERMS: Final = ("ND", "DIS2D", "DIS3D")
_FILTER_TERMS: Final = frozenset({"SWI", "SWAN", "SWIP", "HP", "FILTERED", "HOMODYNE", "PHA_HP", "PHASE_HP"})
_FILTER_WORDS: Final = re.compile(r"(?<!un)(?<!un-)filter|homodyne|high.?pass|pha_hp|\bhpf\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """What is known of one image (or one frame) without decoding its pixels.

    Parameters
    ----------
    path
        The file.
    frame
        Frame within the file, from 0; 0 for classic images.
    content_sha256
        Hash of the data set as stored, without the file meta information.
    vendor
        ``NAME`` of the vendor file that reads the image.
    component
        What the image shows; None if it is no component of the complex signal.
    value_slope, value_intercept
        From stored values to radians (phase) or to one linear scale (others); None if the unit is unknown.
    filter_hint
        The word in the header that says the phase was filtered; empty if there is none.
    phase_difference
        Whether the pulse sequence stores the difference between echoes as phase.
    declared_slices, declared_echoes
        How many slices and echoes the scanner says there are; None if it does not say.
    declared_images
        ImagesInAcquisition; of what, differs between scanners. None if missing, or for frames.
    temporal_positions
        NumberOfTemporalPositions.
    protocol_sha256
        Hash of ProtocolName, which is free text and only compared.
    acquired
        AcquisitionDate and AcquisitionTime as ``YYYYMMDDHHMMSS.ffffff``; empty if missing.
    distortion
        Distortion correction, ``"ND"``, ``"DIS2D"``, ``"DIS3D"``, or empty: corrected and uncorrected
        images of one scan show different positions.
    echo_time_s
        EchoTime in seconds.
    image_position_mm, image_orientation, pixel_spacing_mm
        As in the Image Plane module (PS3.3 C.7.6.2); pixel spacing is between rows, then between columns.
    """

    path: Path
    frame: int = 0
    sop_class_uid: str
    sop_instance_uid: str
    content_sha256: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str
    series_number: int | None
    instance_number: int | None
    acquisition_number: int | None
    temporal_position: int | None
    acquired: str
    vendor: str
    protocol_sha256: str
    sequence_name: str
    scanning_sequence: tuple[str, ...]
    image_type: tuple[str, ...]
    distortion: str
    component: Component | None
    value_slope: float | None
    value_intercept: float | None
    filter_hint: str
    phase_difference: bool
    declared_slices: int | None
    declared_echoes: int | None
    declared_images: int | None
    temporal_positions: int | None
    echo_number: int | None
    echo_time_s: float | None
    field_strength_t: float | None
    imaging_frequency_mhz: float | None
    rows: int
    columns: int
    image_position_mm: tuple[float, float, float] | None
    image_orientation: tuple[float, float, float, float, float, float] | None
    pixel_spacing_mm: tuple[float, float] | None

    def to_json(self) -> str:
        """Text that ``from_json`` turns back into an equal header."""
        return json.dumps(asdict(self) | {"path": str(self.path)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Header of a text made by ``to_json``."""
        stored: dict[str, Any] = json.loads(text)
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
        component = values["component"]
        values["component"] = None if component is None else Component(component)
        return cls(**(values | {"path": Path(values["path"])}))


def read_header(path: Path) -> ImageHeader:
    """Read what is needed of a single-frame image, without decoding pixels.

    Parameters
    ----------
    path
        A DICOM file.

    Returns
    -------
    ImageHeader
        Plain values.

    Raises
    ------
    Refusal
        The file is not DICOM or cut short, not an MR image, derived, our own output, EPI or a mosaic, has an
        unsupported pixel format, lacks an identity, or holds several frames (use ``read_headers``).
    """
    headers = read_headers(path)
    if len(headers) != 1:
        raise refuse("unsupported-frames", detail=f"{len(headers)} frames where one image was expected")
    return headers[0]


def read_headers(path: Path) -> tuple[ImageHeader, ...]:
    """Read one header per frame of a file; one for a classic image.

    Raises
    ------
    Refusal
        As ``read_header``.
    """
    image = read_image_file(path)
    if str(image.dataset.SOPClassUID) not in MULTI_FRAME_CLASSES:
        return (_header(path, image, image.dataset, 0),)
    frames = classic_frames(image.dataset, image.frames)
    return tuple(_header(path, image, frame, number) for number, frame in enumerate(frames))


def _header(path: Path, image: ImageFile, dataset: Dataset, frame: int) -> ImageHeader:
    elements = Elements(dataset)
    return ImageHeader(
        path=path,
        frame=frame,
        content_sha256=image.content_sha256,
        transfer_syntax_uid=image.transfer_syntax_uid,
        rows=elements.integer("Rows") or 0,
        columns=elements.integer("Columns") or 0,
        **_identity(elements),
        **_meaning(elements),
        **_counts(elements),
        **_physics(elements),
        **_plane(elements),
    )


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
    image_type = elements.texts("ImageType")
    return {
        "vendor": vendor.NAME,
        "component": component,
        "value_slope": None if scale is None else scale.slope,
        "value_intercept": None if scale is None else scale.intercept,
        "filter_hint": "" if component in (None, Component.MAGNITUDE) else _filter_hint(elements),
        "phase_difference": vendor.makes_phase_differences(elements),
        "declared_slices": vendor.declared_slices(elements),
        "declared_echoes": vendor.declared_echoes(elements),
        "image_type": image_type,
        "distortion": next((value for value in image_type if value in _DISTORTION_TERMS), ""),
        "sequence_name": elements.text("SequenceName"),
        "scanning_sequence": elements.texts("ScanningSequence"),
    }


def _counts(elements: Elements) -> dict[str, Any]:
    multi_frame = elements.text("SOPClassUID") in MULTI_FRAME_CLASSES
    return {
        "declared_images": None if multi_frame else elements.integer("ImagesInAcquisition"),
        "temporal_positions": elements.integer("NumberOfTemporalPositions"),
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
    counts = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
    values = {keyword: elements.numbers(keyword) for keyword in counts}
    usable = {key: values[key] if len(values[key]) == count else None for key, count in counts.items()}
    return {
        "image_position_mm": usable["ImagePositionPatient"],
        "image_orientation": usable["ImageOrientationPatient"],
        "pixel_spacing_mm": usable["PixelSpacing"],
    }


def _filter_hint(elements: Elements) -> str:
    """Word of ImageType or of the series' description by which scanners mark filtered phase."""
    for value in elements.texts("ImageType"):
        if value in _FILTER_TERMS:
            return value
    for keyword in ("SeriesDescription", "ImageComments"):
        found = _FILTER_WORDS.search(elements.text(keyword))
        if found:
            return found.group(0).lower()
    return ""
