"""Functional groups of derived multi-frame objects that come from the source: geometry, source images, dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import UID, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from dicom_io.derived.codes import code_item
from dicom_io.derived.context.origin import Origin
from dicom_io.derived.context.references import source_images
from dicom_io.derived.context.source import frame_of_reference, take
from dicom_io.source.geometry import axes, dot
from dicom_io.source.header import ImageHeader
from dicom_io.uids import uid_of

_MEASURES: Final = ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices")


def pixel_measures(origin: Origin) -> Dataset:
    """Make the item of PixelMeasuresSequence; what the source does not state follows from the positions."""
    item = take(origin.datasets[0], _MEASURES)
    spacing = format_number_as_ds(origin.slices.spacing_mm)
    for keyword in _MEASURES[1:]:
        if keyword not in item:
            setattr(item, keyword, spacing)
    return item


def plane_orientation(origin: Origin) -> Dataset:
    """Make the item of PlaneOrientationSequence, as the source has it encoded."""
    return take(origin.datasets[0], ("ImageOrientationPatient",))


def plane_position(origin: Origin, z: int) -> Dataset:
    """Make the item of PlanePositionSequence of a slice, as the source has it encoded."""
    return take(origin.datasets[z], ("ImagePositionPatient",))


def derivation_image(used: Sequence[ImageHeader], description: str = "") -> Dataset:
    """Make the item of DerivationImageSequence of a frame (PS3.3 C.7.6.16.2.6)."""
    item = Dataset()
    if description:
        item.DerivationDescription = description
    item.DerivationCodeSequence = [code_item("110001", "DCM", "Image Processing")]
    item.SourceImageSequence = source_images(used)
    return item


def frame_content(number: int) -> Dataset:
    """Make the item of FrameContentSequence of a frame of one stack."""
    item = Dataset()
    item.StackID, item.InStackPositionNumber = "1", number
    item.DimensionIndexValues = [1, number]
    return item


def organize(image: Dataset, uid: UID) -> None:
    """Say that frames are ordered by their place in one stack (PS3.3 C.7.6.17)."""
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


def bare_planes(origin: Origin) -> list[Dataset]:
    """Make images that have the source's geometry and nobody's name, for a library that reads it from images.

    Returns
    -------
    list of Dataset
        One per slice, ascending; what a library takes over from them is replaced by ``restore``.
    """
    planes = []
    for z, source in enumerate(origin.datasets):
        plane = Dataset()
        plane.SOPClassUID = MRImageStorage
        plane.SOPInstanceUID = uid_of("bare plane", origin.sources[z].sop_instance_uid, str(z))
        plane.StudyInstanceUID = origin.sources[0].study_instance_uid
        plane.SeriesInstanceUID = origin.sources[0].series_instance_uid
        plane.FrameOfReferenceUID = frame_of_reference(source)
        plane.PatientID = plane.PatientName = plane.PatientBirthDate = plane.PatientSex = ""
        plane.StudyDate = plane.StudyTime = plane.StudyID = plane.AccessionNumber = ""
        plane.ReferringPhysicianName = ""
        plane.Modality = "MR"
        plane.Columns, plane.Rows = origin.shape[:2]
        for item in (pixel_measures(origin), plane_orientation(origin), plane_position(origin, z)):
            plane.update(item)
        planes.append(plane)
    return planes


def restore(made: Dataset, origin: Origin, uid: UID, used: Callable[[int], Sequence[ImageHeader]]) -> None:
    """Give a multi-frame object that a library made the source's own strings and references, and lasting UIDs.

    Parameters
    ----------
    made
        Made from ``bare_planes``; changed in place.
    origin
        The source images.
    uid
        SeriesInstanceUID, from which its other UIDs follow.
    used
        Source images of a slice.
    """
    shared = made.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence = [pixel_measures(origin)]
    shared.PlaneOrientationSequence = [plane_orientation(origin)]
    for group in made.PerFrameFunctionalGroupsSequence:
        z = _slice_of(group, origin)
        group.PlanePositionSequence = [plane_position(origin, z)]
        group.DerivationImageSequence = [derivation_image(used(z))]
    organization = uid_of(uid, "dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization


def _slice_of(group: Dataset, origin: Origin) -> int:
    """Find the slice whose position a frame has."""
    x, y, z = (float(value) for value in group.PlanePositionSequence[0].ImagePositionPatient)
    position = dot((x, y, z), axes(origin.sources[0])[2])
    positions = origin.slices.positions_mm
    return min(range(len(positions)), key=lambda index: abs(positions[index] - position))
