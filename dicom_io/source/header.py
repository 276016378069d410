"""One image as grouping, completeness and geometry see it: plain values, no pixels.

Names, numbers and free text of patients are left out. UIDs and times are not, since derived images refer to
their sources by them: a stored header is still to be kept from everybody but the service.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from pydicom.dataset import Dataset

from dicom_io.refusals import refuse
from dicom_io.source.attributes import Patterns, header_values
from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.enhanced import classic_frames
from dicom_io.source.file import MULTI_FRAME_CLASSES, ImageFile, read_image_file
from dicom_io.source.pixels import Native, stored_values

NO_PATTERNS: Final[Patterns] = MappingProxyType({})


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
    stored_peak
        Largest absolute stored value of a phase image whose unit no element states; None for all other images.
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
    model, body_part, patient_position, coil
        ManufacturerModelName, BodyPartExamined, PatientPosition, and the receive coil or its element.
    acquired_matrix
        Rows and columns of k-space that were acquired; None if not stated.
    labels
        Names of the site's patterns that texts of the image matched; the texts are not kept.
    b0_patient
        Direction of the main field in the patient where the site says something about it.
    vertical_field
        Whether the site says that the field is vertical; its direction then follows from PatientPosition.
    native
        Where the file holds the stored values; None if they are compressed, or the header is of an earlier version.
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
    # What earlier versions did not store has a default, so that their index can still be read.
    stored_peak: int | None = None
    model: str = ""
    body_part: str = ""
    patient_position: str = ""
    coil: str = ""
    acquired_matrix: tuple[int, int] | None = None
    labels: tuple[str, ...] = ()
    b0_patient: tuple[float, float, float] | None = None
    vertical_field: bool = False
    native: Native | None = None

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
        native = values.get("native")
        values["native"] = None if native is None else Native(**native)
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


def read_headers(path: Path, patterns: Patterns = NO_PATTERNS) -> tuple[ImageHeader, ...]:
    """Read one header per frame of a file; one for a classic image.

    Parameters
    ----------
    path
        A DICOM file.
    patterns
        The site's words to look for in texts; see ``ImageHeader.labels``.

    Raises
    ------
    Refusal
        As ``read_header``.
    """
    image = read_image_file(path)
    if str(image.dataset.SOPClassUID) not in MULTI_FRAME_CLASSES:
        return (_header(path, image, image.dataset, 0, patterns),)
    frames = classic_frames(image.dataset, image.frames)
    return tuple(_header(path, image, frame, number, patterns) for number, frame in enumerate(frames))


def _header(path: Path, image: ImageFile, dataset: Dataset, frame: int, patterns: Patterns) -> ImageHeader:
    values = header_values(Elements(dataset), patterns)
    return ImageHeader(
        path=path,
        frame=frame,
        content_sha256=image.content_sha256,
        transfer_syntax_uid=image.transfer_syntax_uid,
        stored_peak=_stored_peak(path, frame, values),
        native=image.native,
        **values,
    )


def _stored_peak(path: Path, frame: int, values: dict[str, Any]) -> int | None:
    """Look into the pixels of a phase image where they alone tell the unit (``Vendor.radians_per_step``)."""
    if values["component"] is not Component.PHASE or values["value_slope"] is not None:
        return None
    stored = stored_values(path, frame)
    return None if stored is None else int(max(abs(int(stored.min())), abs(int(stored.max()))))
