"""QSM as one Enhanced MR Image (PS3.3 A.36.2), where the scanner sent such objects."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from dicom_io.derived.codes import BRAIN
from dicom_io.derived.context.references import contributing_equipment, put, referenced_series, source_evidence
from dicom_io.derived.context.series_module import qualify
from dicom_io.derived.context.source import frame_of_reference, inherit_study, take
from dicom_io.derived.context.source_series import Sources, SourceSeries
from dicom_io.derived.frames import (
    ORIENTATION,
    POSITION,
    derivation_image,
    frame_content,
    organize,
    pixel_measures,
)
from dicom_io.derived.product import Product
from dicom_io.derived.series_files import WrittenSeries, write_series
from dicom_io.derived.volume import (
    StoredVolume,
    real_world_value_mapping,
    set_pixels,
    set_rescale,
    set_windows,
    store,
)
from dicom_io.identity import DEVICE_SERIAL_NUMBER
from dicom_io.source.elements import Elements

_IMAGE_TYPE = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]


def write_enhanced_map(product: Product, _made: None, sources: Sources, folder: Path) -> tuple[WrittenSeries]:
    """Write a susceptibility map in ppb as one object of as many frames as there are slices.

    Parameters and errors are those of ``dicom_io.derived.mr.write_images``.
    """
    volume, series = store(product, None, sources), sources.series
    image, clipped, warnings = _image(volume, series), volume.clipped, volume.warnings
    return (write_series([image], product, series.context, volume.uid, folder, clipped=clipped, warnings=warnings),)


def _image(volume: StoredVolume, series: SourceSeries) -> Dataset:
    source = series.context.dataset
    image = inherit_study(source)
    qualify(image)
    image.DeviceSerialNumber = DEVICE_SERIAL_NUMBER
    image.ImageComments = volume.texts[1]
    _describe(image, source)
    organize(image, volume.uid)
    image.SharedFunctionalGroupsSequence = [_shared(volume, series)]
    image.PerFrameFunctionalGroupsSequence = [
        _per_frame(series, z, number, volume.texts[0]) for number, z in enumerate(series.order, start=1)
    ]
    put(image, referenced_series(series.all_images()), source_evidence(series.all_images()))
    image.ContributingEquipmentSequence = contributing_equipment(source, series.context.created)
    image.NumberOfFrames = len(series.headers)
    set_pixels(image, volume, volume.stored[..., series.order])
    return image


def _describe(image: Dataset, dataset: Dataset) -> None:
    """Set what the Frame of Reference and Enhanced MR Image modules ask for (PS3.3 C.7.4.1, C.8.13.1)."""
    source = Elements(dataset)
    image.update(take(dataset, ("BodyPartExamined",)))  # sides are stated for each frame
    image.FrameOfReferenceUID = frame_of_reference(dataset)
    image.PositionReferenceIndicator = source.text("PositionReferenceIndicator")
    image.PatientPosition = source.text("PatientPosition")
    image.ImageType = _IMAGE_TYPE
    _describe_frame(image)
    image.ResonantNucleus = "1H"
    image.KSpaceFiltering = "NONE"
    field_strength = source.number("MagneticFieldStrength")
    if field_strength is not None:
        image.MagneticFieldStrength = field_strength
    image.ApplicableSafetyStandardAgency = "IEC"
    if source.text("AcquisitionDate") and source.text("AcquisitionTime"):
        image.AcquisitionDateTime = source.text("AcquisitionDate") + source.text("AcquisitionTime")
    image.AcquisitionContextSequence = []


def _describe_frame(item: Dataset) -> None:
    """Set the Common CT/MR and MR image description macros (PS3.3 C.8.16.2, C.8.13.3)."""
    item.PixelPresentation = "MONOCHROME"
    item.VolumetricProperties = "VOLUME"
    item.VolumeBasedCalculationTechnique = "NONE"
    item.ComplexImageComponent = "MAGNITUDE"
    item.AcquisitionContrast = "UNKNOWN"  # there is no term for susceptibility


def _shared(volume: StoredVolume, series: SourceSeries) -> Dataset:
    group, anatomy, frame_type, rescale, windows = (Dataset() for _ in range(5))
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = [BRAIN.item()]
    frame_type.FrameType = _IMAGE_TYPE
    _describe_frame(frame_type)
    set_rescale(rescale, volume)
    set_windows(windows, volume)
    group.PixelMeasuresSequence = [pixel_measures(series)]
    group.PlaneOrientationSequence = [take(series.datasets[0], ORIENTATION)]
    group.FrameAnatomySequence = [anatomy]
    group.MRImageFrameTypeSequence = [frame_type]
    group.PixelValueTransformationSequence = [rescale]
    group.FrameVOILUTSequence = [windows]
    group.RealWorldValueMappingSequence = [real_world_value_mapping(volume)]
    return group


def _per_frame(series: SourceSeries, z: int, number: int, description: str) -> Dataset:
    group = Dataset()
    group.FrameContentSequence = [frame_content(number)]
    group.PlanePositionSequence = [take(series.datasets[z], POSITION)]
    # The description is the same for all frames; once is enough.
    group.DerivationImageSequence = [derivation_image(series.images_at(z), description if number == 1 else "")]
    return group
