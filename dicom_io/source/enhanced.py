"""Frames of Enhanced MR objects as the classic images they would be.

Each frame becomes a flat data set: the object's own elements, then those of the shared and of the per-frame
functional groups (PS3.3 C.7.6.16), under the keywords that classic MR images use. Everything that reads a
classic image then reads a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.valuerep import format_number_as_ds

from dicom_io.refusals import refuse
from dicom_io.source.elements import Elements, tolerant

_CLASSIC_NUMBER: Final = {
    "EffectiveEchoTime": "EchoTime",
    "TransmitterFrequency": "ImagingFrequency",
}
_CLASSIC_TEXT: Final = {"PulseSequenceName": "SequenceName", "FrameType": "ImageType"}
_SEQUENCES: Final = {"GRADIENT": ["GR"], "SPIN": ["SE"], "BOTH": ["SE", "GR"]}
_SPOILED: Final = ("RF", "GRADIENT", "RF_AND_GRADIENT")
_PER_FRAME: Final = "PerFrameFunctionalGroupsSequence"
_SHARED: Final = "SharedFunctionalGroupsSequence"


def classic_frames(dataset: Dataset, frames: int) -> Iterator[Dataset]:
    """Flatten each frame of a multi-frame object.

    Raises
    ------
    Refusal
        The functional groups do not describe each frame.
    """
    elements = Elements(dataset)
    per_frame = elements.items(_PER_FRAME)
    if len(per_frame) != frames:
        raise refuse("unsupported-frames", detail=f"{frames} frames, {len(per_frame)} described")
    try:
        common = Dataset()
        _copy(dataset, common)
        for group in elements.items(_SHARED)[:1]:
            _flatten(group.dataset, common)
        for group in per_frame:
            frame = Dataset()
            _copy(common, frame)
            _flatten(group.dataset, frame)
            _as_classic(frame)
            yield frame
    except Exception as error:  # damaged functional groups raise nearly anything from the parser
        raise refuse("unsupported-frames", detail=type(error).__name__) from None


def _copy(source: Dataset, target: Dataset, *, private_only: bool = False) -> None:
    for tag in source.keys():  # noqa: SIM118  (iterating a data set decodes its elements)
        if tag.group != 0x5200 and (tag.is_private or not private_only):
            _set(target, tag, source)


def _flatten(group: Dataset, target: Dataset) -> None:
    for tag in list(group.keys()):
        element = group[tag]
        if element.keyword == "RealWorldValueMappingSequence":
            _set(target, tag, group)  # a macro under the name that classic images have at their top level
        elif element.VR == "SQ" and element.value:
            # A private group may repeat standard attributes with other meanings (Philips (2005,140F)).
            _copy(element.value[0], target, private_only=tag.is_private)


def _set(target: Dataset, tag: BaseTag, source: Dataset) -> None:
    element = source.get_item(tag, keep_deferred=True)
    if element is not None:
        target[tag] = element


def _as_classic(frame: Dataset) -> None:
    elements = Elements(frame)
    for enhanced, classic in _CLASSIC_NUMBER.items():
        for value in elements.numbers(enhanced)[:1]:
            _put(frame, classic, format_number_as_ds(value))
    if (position := elements.integer("TemporalPositionIndex")) is not None:
        _put(frame, "TemporalPositionIdentifier", position)
    for enhanced, classic in _CLASSIC_TEXT.items():
        if elements.text(enhanced):
            _put(frame, classic, list(elements.texts(enhanced)))
    sequences = _SEQUENCES.get(elements.text("EchoPulseSequence"))
    if sequences and not elements.text("ScanningSequence"):
        _put(frame, "ScanningSequence", sequences)
    if not elements.text("SequenceVariant"):
        _put(frame, "SequenceVariant", "SP" if elements.text("Spoiling") in _SPOILED else "NONE")
    acquired = elements.text("FrameAcquisitionDateTime") or elements.text("AcquisitionDateTime")
    if len(acquired) >= 14:
        _put(frame, "AcquisitionDate", acquired[:8])
        _put(frame, "AcquisitionTime", acquired[8:].split("+")[0].split("-")[0])


def _put(frame: Dataset, keyword: str, value: object) -> None:
    """Set an element as a new one: frames share those of the object they come from."""
    with tolerant():
        frame.add_new(keyword, dictionary_VR(keyword), value)
