"""What a derived image takes from the image it is made from, byte for byte.

Positions, names and identifiers are copied as the encoded bytes, never through a number or a decoded text: a
console finds the derived series next to its source only if every patient, study and geometry string is equal.
Vendors' private groups are never taken; readers use them to rescale, reorder or call an image original.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta, timezone
from pathlib import Path
from typing import Final

from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

from dicom_io.errors import Refusal
from dicom_io.source.elements import Elements, tag_of, tolerant
from dicom_io.source.file import read_image_file
from dicom_io.source.header import ImageHeader
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
    """Elements of images, without pixels; of frames, as the classic images they would be; each file is read once.

    Raises
    ------
    Refusal
        A file is no longer what its header was read from.
    """
    files: dict[Path, list[Dataset]] = {}
    for header in headers:
        if header.path not in files:
            files[header.path] = list(read_image_file(header.path).images())
    return [files[header.path][header.frame] for header in headers]


def first_readable(headers: Sequence[ImageHeader]) -> tuple[ImageHeader, Dataset]:
    """Return the first image that can still be read, and its elements; a ``Refusal`` if there is none."""
    for header in headers[:-1]:
        with suppress(Refusal):
            return header, source_datasets([header])[0]
    return headers[-1], source_datasets(headers[-1:])[0]


def inherit_study(source: Dataset) -> Dataset:
    """Start a derived object with the patient and the study of its source.

    It is to be written in Explicit VR Little Endian; text that is added must be ASCII.
    """
    derived = Dataset()
    terms = list(Elements(source).texts("SpecificCharacterSet"))
    with tolerant():
        derived.set_original_encoding(False, True, convert_encodings(terms) if terms else None)  # elements stay raw
    derived.update(take(source, _STUDY_OPTIONAL))
    derived.update(take(source, _STUDY_ALIKE, empty=True))
    _require(derived, source, _STUDY_REQUIRED)
    for keyword in _REFERENCES:
        items = [take(item.dataset, _REFERENCE) for item in Elements(source).items(keyword)]
        if items and all(items):
            setattr(derived, keyword, items)
    requests = [take(item.dataset, _REQUEST) for item in Elements(source).items("RequestAttributesSequence")]
    if requests and all("RequestedProcedureID" in item for item in requests):
        derived.RequestAttributesSequence = requests
    return derived


def inherit(source: Dataset) -> Dataset:
    """Start a derived image as ``inherit_study``, with the position and the pulse sequence of its source as well."""
    derived = inherit_study(source)
    derived.update(take(source, _IMAGE_OPTIONAL))
    _require(derived, source, _IMAGE_REQUIRED)
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


def take(source: Dataset, keywords: Sequence[str], *, empty: bool = False) -> Dataset:
    """Take elements as they are encoded; those without a value only if they are wanted ``empty``."""
    part = Dataset()
    part.set_original_encoding(False, True)
    for keyword in keywords:
        element = _raw(source, keyword)
        if element is not None and (element.value or empty):
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


def _require(derived: Dataset, source: Dataset, keywords: Sequence[str]) -> None:
    """Take elements of type 2, which are present without a value where the source lacks them."""
    derived.update(take(source, keywords, empty=True))
    for keyword in keywords:
        if keyword not in derived:
            setattr(derived, keyword, None)


def _raw(source: Dataset, keyword: str) -> RawDataElement | DataElement | None:
    """Element of text, as encoded; PS3.5 encodes text alike in all transfer syntaxes."""
    tag = tag_of(keyword)
    element = source.get_item(tag, keep_deferred=True)
    if element is None or not isinstance(element.value, bytes):
        return element
    return RawDataElement(tag, dictionary_VR(tag), len(element.value), element.value, 0, False, True)
