"""What every derived object says of itself: its series, its time, its maker, and that it is for research."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.uid import UID

from dicom_io.derived.context.origin import Stamp
from dicom_io.derived.context.source import inherit_study
from dicom_io.identity import INSTANCE_CREATOR_UID, MANUFACTURER, MODEL_NAME, SOFTWARE_VERSIONS


def mark(derived: Dataset, stamp: Stamp, *, uid: UID, number: int, title: str, modality: str = "MR") -> None:
    """Put a derived object into its series.

    General Equipment describes what made the series, which is this software; the scanner is named in
    ContributingEquipmentSequence (PS3.3 C.12.1.1.5).

    Parameters
    ----------
    derived
        The object.
    stamp
        How the objects of the job are marked.
    uid, number
        SeriesInstanceUID and SeriesNumber.
    title
        How SeriesDescription begins.
    modality
        Modality (0008,0060).
    """
    day, time = stamp.created.strftime("%Y%m%d"), stamp.created.strftime("%H%M%S")
    derived.SeriesInstanceUID, derived.SeriesNumber = uid, number
    derived.SeriesDescription = stamp.description(title)
    derived.Modality = modality
    derived.SeriesDate = derived.ContentDate = derived.InstanceCreationDate = day
    derived.SeriesTime = derived.ContentTime = derived.InstanceCreationTime = time
    if stamp.offset is None and "TimezoneOffsetFromUTC" in derived:
        del derived.TimezoneOffsetFromUTC
    derived.InstanceCreatorUID = INSTANCE_CREATOR_UID
    derived.Manufacturer, derived.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    derived.SoftwareVersions = SOFTWARE_VERSIONS


def qualify(image: Dataset) -> None:
    """Say of an image that it is for research, shows anatomy, and lost nothing."""
    image.ContentQualification = "RESEARCH"
    image.RecognizableVisualFeatures = "YES"
    image.BurnedInAnnotation = "NO"
    image.LossyImageCompression = "00"  # lossy sources are refused when they are read


def adopt(made: Dataset, stamp: Stamp) -> Dataset:
    """Put an object that a library made under the patient and study of its sources, as those are encoded.

    Parameters
    ----------
    made
        The object; its own patient and study are replaced.
    stamp
        How the objects of the job are marked.

    Returns
    -------
    Dataset
        To be written in Explicit VR Little Endian.
    """
    adopted = inherit_study(stamp.dataset)
    inherited = set(adopted.keys())
    for element in made:
        if element.tag not in inherited and element.tag.group != 2:
            adopted.add(element)
    return correct_ambiguous_vr(adopted, True)
