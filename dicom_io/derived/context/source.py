"""What a derived image takes from the image it is made from, byte for byte.

Positions, names and identifiers are copied as the encoded bytes, never through a number or a decoded text: a
console finds the derived series next to its source only if every patient, study and geometry string is equal.
Vendors' private groups are never taken; readers use them to rescale, reorder or call an image original.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta, timezone
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicom_io.errors import Refusal
from dicom_io.refusals import refuse
from dicom_io.source.elements import Elements
from dicom_io.source.enhanced import classic_frames
from dicom_io.source.file import MULTI_FRAME_CLASSES, read_image_file
from dicom_io.source.header import ImageHeader
from dicom_io.source.tolerance import tolerant
from dicom_io.uids import uid_of

# Type 2 of the Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1): present, empty where the source lacks them.
_STUDY_REQUIRED: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)
_STUDY_OPTIONAL: Final = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "StudyInstanceUID",
    "IssuerOfPatientID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "StationName",
    "InstitutionName",
    "PerformedProcedureStepID",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepDescription",
)
# Attributes of the same modules that are taken even where they are empty: all images of a study must say the same, or
# archives split the study.
_STUDY_ALIKE: Final = (
    "StudyDescription",
    "PatientBirthTime",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "EthnicGroup",
    "PatientComments",
    "PatientState",
    "Occupation",
    "SmokingStatus",
    "SpecialNeeds",
    "MedicalAlerts",
    "Allergies",
    "AdditionalPatientHistory",
    "AdmittingDiagnosesDescription",
)
# Type 2 of the MR Image IOD (PS3.3 A.4.3) beside them.
_IMAGE_REQUIRED: Final = (
    "PositionReferenceIndicator",
    "PatientPosition",
    "SliceThickness",
    "ScanOptions",
    "MRAcquisitionType",
    "RepetitionTime",
    "EchoTrainLength",
)
_IMAGE_OPTIONAL: Final = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SpacingBetweenSlices",
    "SliceLocation",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionNumber",
    "ScanningSequence",
    "SequenceVariant",
    "FlipAngle",
    "MagneticFieldStrength",
    "ImagingFrequency",
    "ImagedNucleus",
    "ProtocolName",
)
# Type 1 of the MR Image module: a gradient echo is what the reader took the images for.
_IMAGE_ALWAYS: Final = {"ScanningSequence": "GR", "SequenceVariant": "NONE"}
_AGE: Final = re.compile(r"(\d{3})([DWMY])")
_PER_YEAR: Final = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
_OFFSET: Final = re.compile(r"([+-])(\d{2})([0-5]\d)")
_LARGEST_OFFSET: Final = timedelta(hours=14)
_IDENTITY: Final = ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "StudyID")
_REFERENCES: Final = ("ReferencedStudySequence", "ReferencedPerformedProcedureStepSequence")
_REFERENCE: Final = ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")
_REQUEST: Final = (
    "AccessionNumber",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "ScheduledProcedureStepID",
    "ScheduledProcedureStepDescription",
)


def source_datasets(headers: Sequence[ImageHeader]) -> list[Dataset]:
    """Elements of images, without pixels; of frames, as the classic images they would be.

    Each file is read once.

    Raises
    ------
    Refusal
        A file is no longer what its header was read from.
    """
    files: dict[Path, list[Dataset]] = {}
    for header in headers:
        if header.path not in files:
            image = read_image_file(header.path)
            multi_frame = header.sop_class_uid in MULTI_FRAME_CLASSES
            frames = classic_frames(image.dataset, image.frames) if multi_frame else [image.dataset]
            files[header.path] = list(frames)
    return [files[header.path][header.frame] for header in headers]


def first_readable(headers: Sequence[ImageHeader]) -> tuple[ImageHeader, Dataset]:
    """Return the first image that can still be read, and its elements.

    Raises
    ------
    Refusal
        There is none.
    """
    for header in headers:
        try:
            return header, source_datasets([header])[0]
        except Refusal as refusal:
            reason = refusal
    raise reason


def check_identity(headers: Sequence[ImageHeader]) -> None:
    """Make sure that all echoes and components are of one patient and request, looking at one image of each.

    A derived series takes what one of them says; if they disagree, an archive would file it under another patient or
    another request than half of its sources.

    Raises
    ------
    Refusal
        ``identity-differs``.
    """
    stacks = {(h.series_instance_uid, h.echo_time_s, h.component): h for h in headers}
    first: dict[str, object] = {}
    for path in dict.fromkeys(header.path for header in stacks.values()):
        with tolerant():
            found = dcmread(path, specific_tags=list(_IDENTITY), stop_before_pixels=True)
        for keyword in _IDENTITY:
            value = Elements(found).texts(keyword)
            if first.setdefault(keyword, value) != value:
                raise refuse("identity-differs", attribute=keyword)


def inherit_study(source: Dataset) -> Dataset:
    """Start a derived object with the patient and the study of its source.

    Returns
    -------
    Dataset
        To be written in Explicit VR Little Endian; text that is added must be ASCII.
    """
    derived = Dataset()
    terms = list(Elements(source).texts("SpecificCharacterSet"))
    with tolerant():
        derived.set_original_encoding(False, True, convert_encodings(terms) if terms else None)  # elements stay raw
    _take(source, derived, required=_STUDY_REQUIRED, optional=_STUDY_OPTIONAL)
    for keyword in _STUDY_ALIKE:
        element = _raw(source, keyword)
        if element is not None:
            derived[element.tag] = element
    for keyword in _REFERENCES:
        items = [take(item.dataset, _REFERENCE) for item in Elements(source).items(keyword)]
        if items and all(items):
            setattr(derived, keyword, items)
    requests = [take(item.dataset, _REQUEST) for item in Elements(source).items("RequestAttributesSequence")]
    if requests and all("RequestedProcedureID" in item for item in requests):
        derived.RequestAttributesSequence = requests
    return derived


def inherit(source: Dataset) -> Dataset:
    """Start a derived image with everything that it shares with its source: patient, study, position, sequence.

    Returns
    -------
    Dataset
        As ``inherit_study``.
    """
    derived = inherit_study(source)
    _take(source, derived, required=_IMAGE_REQUIRED, optional=_IMAGE_OPTIONAL)
    for keyword, value in _IMAGE_ALWAYS.items():
        if keyword not in derived:
            setattr(derived, keyword, value)
    derived.FrameOfReferenceUID = frame_of_reference(source)
    derived.update(body_part(source))
    return derived


def body_part(source: Dataset) -> Dataset:
    """Take what was examined; Laterality may be missing only where the body part says that it has no sides."""
    part = take(source, ("BodyPartExamined", "Laterality"))
    if not part:
        part.Laterality = None
    return part


def frame_of_reference(source: Dataset) -> str:
    """Return FrameOfReferenceUID, type 1; for a source without one, one that its derived objects share."""
    elements = Elements(source)
    return elements.text("FrameOfReferenceUID") or uid_of("frame of reference", elements.text("SeriesInstanceUID"))


def take(source: Dataset, keywords: Sequence[str]) -> Dataset:
    """Take elements that have a value, as they are encoded, for an item of a sequence."""
    part = Dataset()
    part.set_original_encoding(False, True)
    for keyword in keywords:
        element = _raw(source, keyword)
        if element is not None and element.value:
            part[element.tag] = element
    return part


def patient_age_years(source: Dataset) -> float | None:
    """Read PatientAge (Age String, PS3.5 §6.2); None if the source does not state it."""
    found = _AGE.fullmatch(Elements(source).text("PatientAge"))
    return None if found is None else int(found[1]) / _PER_YEAR[found[2]]


def utc_offset(source: Dataset) -> timezone | None:
    """Read TimezoneOffsetFromUTC (PS3.3 C.12.1.1.8); None if it is missing or no such offset exists."""
    found = _OFFSET.fullmatch(Elements(source).text("TimezoneOffsetFromUTC"))
    if found is None:
        return None
    size = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return None if size > _LARGEST_OFFSET else timezone(-size if found[1] == "-" else size)


def _take(source: Dataset, derived: Dataset, *, required: Sequence[str], optional: Sequence[str]) -> None:
    """Take elements that have a value; those that are required also without one."""
    for keyword in (*required, *optional):
        element = _raw(source, keyword)
        if element is not None and (element.value or keyword in required):
            derived[element.tag] = element
        elif keyword in required:
            setattr(derived, keyword, None)


def _raw(source: Dataset, keyword: str) -> RawDataElement | DataElement | None:
    """Element of text, as encoded; PS3.5 encodes text alike in all transfer syntaxes."""
    tag = Tag(keyword)
    element = source.get_item(tag, keep_deferred=True)
    if element is None or not isinstance(element.value, bytes):
        return element
    return RawDataElement(tag, dictionary_VR(tag), len(element.value), element.value, 0, False, True)
