"""Functional groups of derived multi-frame objects that come from the source: geometry, source images, dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.uid import UID, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from dicom_io.derived.codes import IMAGE_PROCESSING
from dicom_io.derived.context.references import put, source_images
from dicom_io.derived.context.source import frame_of_reference, take
from dicom_io.derived.context.source_series import SourceSeries
from dicom_io.derived.product import Product
from dicom_io.identity import DEVICE_SERIAL_NUMBER, MANUFACTURER, MODEL_NAME, SOFTWARE_VERSIONS
from dicom_io.source.geometry import axes, dot
from dicom_io.source.header import ImageHeader
from dicom_io.uids import uid_of

ORIENTATION: Final = ("ImageOrientationPatient",)
POSITION: Final = ("ImagePositionPatient",)
"""What the items of PlaneOrientationSequence and PlanePositionSequence take from the source, as encoded."""
_MEASURES: Final = ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices")


def pixel_measures(series: SourceSeries) -> Dataset:
    """Make the item of PixelMeasuresSequence; what the source does not state follows from the positions."""
    item = take(series.datasets[0], _MEASURES)
    spacing = format_number_as_ds(series.slices.spacing_mm)
    for keyword in _MEASURES[1:]:
        if keyword not in item:
            setattr(item, keyword, spacing)
    return item


def derivation_image(used: Sequence[ImageHeader], description: str = "") -> Dataset:
    """Make the item of DerivationImageSequence of a frame (PS3.3 C.7.6.16.2.6)."""
    item = Dataset()
    if description:
        item.DerivationDescription = description
    item.DerivationCodeSequence = [IMAGE_PROCESSING.item()]
    put(item, source_images(used))
    return item


def frame_content(number: int) -> Dataset:
    """Make the item of FrameContentSequence of a frame of one stack."""
    item = Dataset()
    item.StackID, item.InStackPositionNumber = "1", number
    item.DimensionIndexValues = [1, number]
    return item


def organize(image: Dataset, uid: UID) -> None:
    """State that frames are ordered by their place in one stack (PS3.3 C.7.6.17)."""
    organization = uid_of(uid, "dimensions")
    image.DimensionOrganizationSequence = [Dataset()]
    image.DimensionOrganizationSequence[0].DimensionOrganizationUID = organization
    image.DimensionOrganizationType = "3D"
    image.DimensionIndexSequence = []
    for pointer, label in ((0x00209056, "Stack"), (0x00209057, "Place in the stack")):
        index = Dataset()
        index.DimensionOrganizationUID = organization
        index.DimensionIndexPointer = pointer
        index.FunctionalGroupPointer = 0x00209111  # FrameContentSequence
        index.DimensionDescriptionLabel = label
        image.DimensionIndexSequence.append(index)


def identity_arguments(product: Product, series: SourceSeries, uid: UID) -> dict[str, Any]:
    """Return what a library that makes an object asks for of its series and its maker."""
    return {
        "series_instance_uid": uid,
        "series_number": series.context.numbers[product.name],
        "sop_instance_uid": uid_of(uid, "1"),
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL_NAME,
        "software_versions": SOFTWARE_VERSIONS,
        "device_serial_number": DEVICE_SERIAL_NUMBER,
    }


def bare_object(sop_class_uid: str, uid: str, series_uid: str, series: SourceSeries) -> Dataset:
    """Make an object of the study without the patient, for a library that reads identifiers from objects."""
    item = Dataset()
    item.SOPClassUID, item.SOPInstanceUID, item.SeriesInstanceUID = sop_class_uid, uid, series_uid
    item.StudyInstanceUID = series.headers[0].study_instance_uid
    item.PatientID = item.PatientName = item.PatientBirthDate = item.PatientSex = ""
    item.StudyID = item.StudyDate = item.StudyTime = item.AccessionNumber = item.ReferringPhysicianName = ""
    return item


def bare_planes(series: SourceSeries) -> list[Dataset]:
    """Make images with the source's geometry and no name, for a library that reads geometry from images.

    Returns
    -------
    list of Dataset
        One per slice, ascending; what a library takes from them is replaced by ``restore``.
    """
    planes = []
    for z, source in enumerate(series.datasets):
        uid = uid_of("bare plane", series.headers[z].sop_instance_uid, str(z))
        plane = bare_object(MRImageStorage, uid, series.headers[0].series_instance_uid, series)
        plane.FrameOfReferenceUID = frame_of_reference(source)
        plane.Modality = "MR"
        plane.Columns, plane.Rows = series.shape[:2]
        plane.update(pixel_measures(series))
        plane.update(take(source, (*POSITION, *ORIENTATION)))
        planes.append(plane)
    return planes


def restore(made: Dataset, series: SourceSeries, uid: UID, used: Callable[[int], Sequence[ImageHeader]]) -> None:
    """Give a multi-frame object that a library made the source's own strings and references, and reproducible UIDs.

    Parameters
    ----------
    made
        Made from ``bare_planes``; changed in place.
    series
        The source images.
    uid
        SeriesInstanceUID, from which its other UIDs follow.
    used
        Source images of a slice.
    """
    shared = made.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence = [pixel_measures(series)]
    shared.PlaneOrientationSequence = [take(series.datasets[0], ORIENTATION)]
    for group in made.PerFrameFunctionalGroupsSequence:
        z = _slice_of(group, series)
        group.PlanePositionSequence = [take(series.datasets[z], POSITION)]
        group.DerivationImageSequence = [derivation_image(used(z))]
    organization = uid_of(uid, "dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization


def _slice_of(group: Dataset, series: SourceSeries) -> int:
    """Find the slice whose position a frame has."""
    x, y, z = (float(value) for value in group.PlanePositionSequence[0].ImagePositionPatient)
    position = dot((x, y, z), axes(series.headers[0])[2])
    positions = series.slices.positions_mm
    return min(range(len(positions)), key=lambda index: abs(positions[index] - position))
