"""What every derived object says of itself: its series, its time, its maker, and that it is for research."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.uid import UID

from dicom_io.derived.context.references import contributing_equipment
from dicom_io.derived.context.source import inherit_study
from dicom_io.derived.context.source_series import SeriesContext
from dicom_io.derived.product import Product
from dicom_io.identity import INSTANCE_CREATOR_UID, MANUFACTURER, MODEL_NAME, SOFTWARE_VERSIONS
from dicom_io.uids import uid_of


def set_series_module(derived: Dataset, product: Product, context: SeriesContext, uid: UID, number: int) -> None:
    """Make a data set an object of a derived series.

    General Equipment describes what made the series, which is this software; the scanner is named in
    ContributingEquipmentSequence (PS3.3 C.12.1.1.5).

    Parameters
    ----------
    derived
        The data set; keeps a SOPInstanceUID that it has.
    product, context
        Whose series it is.
    uid
        SeriesInstanceUID.
    number
        InstanceNumber.
    """
    day, time = context.created.strftime("%Y%m%d"), context.created.strftime("%H%M%S")
    derived.SOPClassUID = product.sop_class_uid
    if "SOPInstanceUID" not in derived:
        derived.SOPInstanceUID = uid_of(uid, str(number))
    derived.InstanceNumber = number
    derived.SeriesInstanceUID, derived.SeriesNumber = uid, context.numbers[product.name]
    derived.SeriesDescription = context.description(product.title)
    derived.Modality = product.modality
    derived.SeriesDate = derived.ContentDate = derived.InstanceCreationDate = day
    derived.SeriesTime = derived.ContentTime = derived.InstanceCreationTime = time
    if context.offset is None and "TimezoneOffsetFromUTC" in derived:
        del derived.TimezoneOffsetFromUTC
    derived.InstanceCreatorUID = INSTANCE_CREATOR_UID
    derived.Manufacturer, derived.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    derived.SoftwareVersions = SOFTWARE_VERSIONS


def qualify(image: Dataset) -> None:
    """State that an image is for research, shows anatomy, and lost nothing."""
    image.ContentQualification = "RESEARCH"
    image.RecognizableVisualFeatures = "YES"
    image.BurnedInAnnotation = "NO"
    image.LossyImageCompression = "00"  # lossy sources are refused when they are read


def adopt(made: Dataset, context: SeriesContext) -> Dataset:
    """Put an object that a library made under the patient and study of its sources, as those are encoded.

    Parameters
    ----------
    made
        The object; its own patient and study are replaced.
    context
        Of its series.

    Returns
    -------
    Dataset
        To be written in Explicit VR Little Endian.
    """
    adopted = inherit_study(context.dataset)
    inherited = set(adopted.keys())
    for element in made:
        if element.tag not in inherited and element.tag.group != 2:
            adopted.add(element)
    correct_ambiguous_vr(adopted, True)
    adopted.ContributingEquipmentSequence = contributing_equipment(context.dataset, context.created)
    return adopted
