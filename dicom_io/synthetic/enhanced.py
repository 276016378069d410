"""Enhanced MR objects: the classic images of a scanner gathered as frames (PS3.3 A.36.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from dicom_io.synthetic.study import COMPONENT_NAMES, Image, Study
from recon.types import GradientEcho

# Where Enhanced MR keeps what classic images have at the top level.
_MACROS: Final = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "MRTimingAndRelatedParametersSequence": ("RepetitionTime", "FlipAngle", "EchoTrainLength"),
}
_FRAME_ONLY: Final = (
    "EchoTime",
    "EchoNumbers",
    "ImagingFrequency",
    "ScanningSequence",
    "SequenceVariant",
    "SequenceName",
    "SliceLocation",
    "AcquisitionDate",
    "AcquisitionTime",
    "PixelData",
    "RealWorldValueMappingSequence",
)


def images(
    echoes: GradientEcho,
    study: Study,
    *,
    classic: Callable[[GradientEcho, Study], Iterator[Image]],
    split: Sequence[str],
) -> Iterator[Image]:
    """Gather the images of the scanner ``classic`` into multi-frame objects.

    Each value of the attributes of ``Image`` named by ``split`` gets an object of its own: component and echo (Siemens
    XA), or none (Philips).
    """

    def place(image: Image) -> tuple[Any, ...]:
        return image.series, *(getattr(image, attribute) for attribute in split)

    def order(image: Image) -> tuple[Any, ...]:
        return place(image), image.component, image.echo, image.number

    yield from gather(
        sorted(classic(echoes, study), key=order),
        place,
        lambda frames, number: _multi_frame(frames, study, number),
    )


def gather(
    images: Iterable[Image], key: Callable[[Image], object], make: Callable[[list[Image], int], Dataset]
) -> Iterator[Image]:
    """Make one object of each run of images with the same key; ``make`` gets them, and the object's number from 1."""
    for number, (_, members) in enumerate(groupby(images, key), start=1):
        frames = list(members)
        yield replace(frames[0], dataset=make(frames, number), number=number)


def _multi_frame(images: list[Image], study: Study, number: int) -> Dataset:
    frames = [image.dataset for image in images]
    first = frames[0]
    moved = {keyword for keywords in _MACROS.values() for keyword in keywords} | set(_FRAME_ONLY)
    dataset = Dataset()
    for element in first:
        if element.keyword not in moved and not element.tag.is_private:
            dataset.add(copy(element))
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.SOPInstanceUID = study.uid("enhanced", first.SeriesInstanceUID, number)
    dataset.InstanceNumber = number
    types = {image.component for image in images}
    mixed = "MIXED" if len(types) > 1 else images[0].component
    dataset.ImageType = ["ORIGINAL", "PRIMARY", mixed, "NONE"]
    dataset.ComplexImageComponent = COMPONENT_NAMES.get(mixed, "MIXED")
    dataset.PulseSequenceName = first.get("SequenceName", "FFE")
    dataset.EchoPulseSequence, dataset.EchoPlanarPulseSequence = "GRADIENT", "NO"
    dataset.AcquisitionDateTime = first.AcquisitionDate + first.AcquisitionTime
    dataset.NumberOfFrames = len(frames)
    dataset.SharedFunctionalGroupsSequence = [_shared(first)]
    dataset.PerFrameFunctionalGroupsSequence = [_per_frame(image, i) for i, image in enumerate(images, start=1)]
    dataset.add_new("PixelData", "OW", b"".join(frame.PixelData for frame in frames))
    return dataset


def _shared(first: Dataset) -> Dataset:
    group = Dataset()
    modifier = Dataset()
    modifier.TransmitterFrequency = float(first.ImagingFrequency)
    group.MRImagingModifierSequence = [modifier]
    for macro in ("PixelMeasuresSequence", "PlaneOrientationSequence", "MRTimingAndRelatedParametersSequence"):
        setattr(group, macro, [_part(first, _MACROS[macro])])
    return group


def _per_frame(image: Image, number: int) -> Dataset:
    frame, group = image.dataset, Dataset()
    content = Dataset()
    content.FrameAcquisitionDateTime = frame.AcquisitionDate + frame.AcquisitionTime
    content.FrameAcquisitionNumber = 1
    content.InStackPositionNumber, content.StackID = number, "1"
    group.FrameContentSequence = [content]
    echo = Dataset()
    echo.EffectiveEchoTime = float(frame.EchoTime)
    group.MREchoSequence = [echo]
    kind = Dataset()
    kind.FrameType = ["ORIGINAL", "PRIMARY", image.component, "NONE"]
    kind.ComplexImageComponent = COMPONENT_NAMES[image.component]
    group.MRImageFrameTypeSequence = [kind]
    group.PlanePositionSequence = [_part(frame, _MACROS["PlanePositionSequence"])]
    if "RescaleSlope" in frame:
        group.PixelValueTransformationSequence = [_part(frame, _MACROS["PixelValueTransformationSequence"])]
    if "RealWorldValueMappingSequence" in frame:
        group.RealWorldValueMappingSequence = frame.RealWorldValueMappingSequence
    private = frame.group_dataset(0x2005)
    if len(private):
        group.private_block(0x2005, "Philips MR Imaging DD 005", create=True).add_new(0x0F, "SQ", [private])
    return group


def _part(dataset: Dataset, keywords: tuple[str, ...]) -> Dataset:
    part = Dataset()
    for keyword in keywords:
        if keyword in dataset:
            part.add(dataset[keyword])
    return part
