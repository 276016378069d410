"""Enhanced MR objects: the classic images of a scanner gathered as frames (PS3.3 A.36.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from itertools import groupby
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from dicom_io.scanner.study import Image, Study
from recon.types import GradientEcho

_COMPONENT: Final = {"M": "MAGNITUDE", "P": "PHASE", "R": "REAL", "I": "IMAGINARY"}

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
)


def images(
    echoes: GradientEcho,
    study: Study,
    *,
    classic: Callable[[GradientEcho, Study], Iterator[Image]],
    split: bool,
) -> Iterator[Image]:
    """Gather a scanner's images into multi-frame objects.

    Parameters
    ----------
    echoes
        The signal.
    study
        Identity and geometry.
    classic
        The scanner.
    split
        One object per echo and component (Siemens XA), or one with all of them (Philips).
    """

    def place(image: Image) -> tuple[int, str, int]:
        return image.series, _component(image.dataset), image.dataset.EchoNumbers

    gathered = sorted(classic(echoes, study), key=lambda image: (place(image), image.number))
    objects = groupby(gathered, key=place if split else lambda image: image.series)
    for number, (_, members) in enumerate(objects, start=1):
        frames = [image.dataset for image in members]
        yield Image(dataset=_multi_frame(frames, study, number), series=int(frames[0].SeriesNumber), number=number)


def _multi_frame(frames: list[Dataset], study: Study, number: int) -> Dataset:
    first = frames[0]
    moved = {keyword for keywords in _MACROS.values() for keyword in keywords} | set(_FRAME_ONLY)
    dataset = Dataset()
    for element in first:
        if element.keyword not in moved and not element.tag.is_private:
            dataset.add(copy(element))
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.SOPInstanceUID = study.uid("enhanced", first.SeriesInstanceUID, number)
    dataset.InstanceNumber = number
    types = {_component(frame) for frame in frames}
    mixed = "MIXED" if len(types) > 1 else _component(first)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", mixed, "NONE"]
    dataset.ComplexImageComponent = _COMPONENT.get(mixed, "MIXED")
    dataset.PulseSequenceName = first.get("SequenceName", "FFE")
    dataset.EchoPulseSequence, dataset.EchoPlanarPulseSequence = "GRADIENT", "NO"
    dataset.AcquisitionDateTime = first.AcquisitionDate + first.AcquisitionTime
    dataset.NumberOfFrames = len(frames)
    dataset.SharedFunctionalGroupsSequence = [_shared(first)]
    dataset.PerFrameFunctionalGroupsSequence = [_per_frame(f, i) for i, f in enumerate(frames, start=1)]
    dataset.add_new("PixelData", "OW", b"".join(frame.PixelData for frame in frames))
    return dataset


def _shared(first: Dataset) -> Dataset:
    group = Dataset()
    modifier = Dataset()
    modifier.add_new("TransmitterFrequency", "FD", float(first.ImagingFrequency))
    group.MRImagingModifierSequence = [modifier]
    for macro in ("PixelMeasuresSequence", "PlaneOrientationSequence", "MRTimingAndRelatedParametersSequence"):
        setattr(group, macro, [_part(first, _MACROS[macro])])
    return group


def _per_frame(frame: Dataset, number: int) -> Dataset:
    group = Dataset()
    content = Dataset()
    content.FrameAcquisitionDateTime = frame.AcquisitionDate + frame.AcquisitionTime
    content.FrameAcquisitionNumber = 1
    content.InStackPositionNumber, content.StackID = number, "1"
    group.FrameContentSequence = [content]
    echo = Dataset()
    echo.add_new("EffectiveEchoTime", "FD", float(frame.EchoTime))
    group.MREchoSequence = [echo]
    kind = Dataset()
    kind.FrameType = ["ORIGINAL", "PRIMARY", _component(frame), "NONE"]
    kind.ComplexImageComponent = _COMPONENT[_component(frame)]
    group.MRImageFrameTypeSequence = [kind]
    group.PlanePositionSequence = [_part(frame, _MACROS["PlanePositionSequence"])]
    if "RescaleSlope" in frame:
        rescale = _part(frame, _MACROS["PixelValueTransformationSequence"])
        group.PixelValueTransformationSequence = [rescale]
    private = frame.group_dataset(0x2005)
    if len(private):
        group.private_block(0x2005, "Philips MR Imaging DD 005", create=True).add_new(0x0F, "SQ", [private])
    return group


def _component(dataset: Dataset) -> str:
    return next(str(value) for value in dataset.ImageType[2:] if value in _COMPONENT)


def _part(dataset: Dataset, keywords: tuple[str, ...]) -> Dataset:
    part = Dataset()
    for keyword in keywords:
        if keyword in dataset:
            part.add(dataset[keyword])
    return part
