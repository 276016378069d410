"""One image as grouping, completeness and geometry see it: plain values, no pixels.

Names, numbers and free text of patients are left out. UIDs and times are kept, since derived images refer to their
sources by them: only the service may read a stored header.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from dicom_io.refusals import refuse
from dicom_io.source.attributes import Patterns, header_values
from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.file import MULTI_FRAME_CLASSES, ImageFile, read_image_file
from dicom_io.source.pixels import Native, decode, read_native
from dicom_io.source.vendors import vendor_named

NO_PATTERNS: Final[Patterns] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """What is known of one image (or one frame) without decoding its pixels.

    Parameters
    ----------
    frame
        Frame within the file, from 0; 0 for classic images.
    content_sha256
        Hash of the data set as stored, without the file meta information.
    vendor
        ``name`` of the row in ``dicom_io.source.vendors.VENDORS`` that reads the image.
    component
        What the image shows; None if it is not a component of the complex signal.
    value_slope, value_intercept
        From stored values to radians (phase) or to one linear scale (others); None if the unit is unknown.
    stored_peak
        Largest absolute stored value of a phase image whose unit only the values show; None for all other images.
    other_kind
        Code of ``dicom_io.refusals`` where the image is not the signal of a gradient echo; empty if nothing says so.
    on_common_scale
        Whether values are on one scale with those of other components, whatever their slopes.
    filter_hint
        The word in the header that says the phase was filtered; empty if there is none.
    phase_difference
        Whether the pulse sequence stores the difference between echoes as phase.
    declared_slices, declared_echoes
        How many slices and echoes the scanner says there are; None if it does not say.
    declared_images
        ImagesInAcquisition; what it counts differs between scanners. None if missing, or for frames.
    protocol_sha256
        Hash of ProtocolName, which is free text and only compared.
    acquired
        Date and time of acquisition as ``YYYYMMDDHHMMSS.ffffff``; empty if the time is missing.
    distortion
        Distortion correction, ``"ND"``, ``"DIS2D"``, ``"DIS3D"``, ``"GDC"``, or empty: corrected and uncorrected
        images of one scan show different positions.
    image_position_mm, image_orientation, pixel_spacing_mm
        As in the Image Plane module (PS3.3 C.7.6.2); pixel spacing is between rows, then between columns.
    model, body_part, patient_position, coil
        ManufacturerModelName, BodyPartExamined, PatientPosition, and the receive coil and its elements.
    is_normalised
        Whether the scanner evened out the coil's sensitivity: a scan may come with and without.
    spacing_between_slices_mm, slice_thickness_mm
        SpacingBetweenSlices and SliceThickness; None if missing.
    acquired_matrix
        Rows and columns of k-space that were acquired; None if not stated.
    labels
        Names of the site's patterns that texts of the image matched; the texts are not kept.
    weighted_beside
        Whether susceptibility weighted images or projections of the same scan are stored beside it: a hint that its
        phase may be filtered.
    native
        Where the file holds the stored values; None if they are compressed.
    b0_stated
        Direction of the main field that the site states for this scanner: vertical, horizontal, or a unit vector in
        patient axes; None if it states none.
    """

    path: Path
    frame: int
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
    distortion: str
    component: Component | None
    value_slope: float | None
    value_intercept: float | None
    stored_peak: int | None
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
    model: str
    body_part: str
    patient_position: str
    coil: str
    acquired_matrix: tuple[int, int] | None
    labels: tuple[str, ...]
    native: Native | None
    b0_stated: Literal["vertical", "horizontal"] | tuple[float, float, float] | None = None
    other_kind: str = ""
    on_common_scale: bool = True
    is_normalised: bool = False
    spacing_between_slices_mm: float | None = None
    slice_thickness_mm: float | None = None
    weighted_beside: bool = False

    @property
    def is_frame(self) -> bool:
        """Whether it is a frame of a multi-frame object."""
        return self.sop_class_uid in MULTI_FRAME_CLASSES

    def to_json(self) -> str:
        """Text that ``from_json`` turns back into an equal header."""
        return _JSON.dump_json(self).decode()

    @staticmethod
    def from_json(text: str) -> ImageHeader:
        """Header of a text made by ``to_json``."""
        return _JSON.validate_json(text)


_JSON: Final = TypeAdapter(ImageHeader)


def read_headers(
    path: Path, patterns: Patterns = NO_PATTERNS, *, content_sha256: str | None = None
) -> tuple[ImageHeader, ...]:
    """Read one header per frame of a DICOM file; one for a classic image.

    Parameters
    ----------
    patterns
        The site's patterns to look for in texts; see ``ImageHeader.labels``.
    content_sha256
        Hash of the stored data set, where it is known already.

    Raises
    ------
    Refusal
        The file is not DICOM or cut short, not an MR image, derived, our own output, EPI or a mosaic, has an
        unsupported pixel format, or lacks an identity.
    """
    image = read_image_file(path)
    digest = content_sha256 or image.content_sha256()
    headers = []
    for frame, dataset in enumerate(image.images()):
        values = header_values(Elements(dataset), patterns)
        if values["other_kind"] == "epi":
            raise refuse("epi")
        header = ImageHeader(
            path=path,
            frame=frame,
            content_sha256=digest,
            transfer_syntax_uid=image.transfer_syntax_uid,
            stored_peak=_stored_peak(path, image, frame, values),
            native=image.native,
            **values,
        )
        headers.append(header)
    return tuple(headers)


def _stored_peak(path: Path, image: ImageFile, frame: int, values: dict[str, Any]) -> int | None:
    """Read the pixels of a phase image where they alone show its unit (``Vendor.radians_per_step``)."""
    by_peak = vendor_named(values["vendor"]).radians_per_step is not None
    if not by_peak or values["component"] is not Component.PHASE or values["value_slope"] is not None:
        return None
    try:
        if image.native is None:
            stored = decode(path, image.transfer_syntax_uid, frame)
        else:
            stored = read_native(path, image.native, values["rows"], values["columns"], frame)
    except Exception:  # decoders raise nearly anything; ``read_acquisition`` reports it, and the unit stays unknown
        return None
    return max(abs(int(stored.min())), abs(int(stored.max())))
