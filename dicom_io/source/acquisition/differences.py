"""What differs between two parts of a study in the headers, and what of that means nothing.

Scanners, archives and de-identification write magnitude and phase of one scan with other protocol and sequence names,
other coils, repetition numbers and digits, and some seconds apart: such parts are still joined. What says that they
were taken at different places or times, or processed differently, keeps them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dicom_io.source.acquisition.blocks import Group
from dicom_io.source.acquisition.coils import is_element
from dicom_io.source.header import ImageHeader
from dicom_io.source.kinds import SEQUENCE_KINDS

LONGEST_PAUSE_S: Final = 30.0
"""Longest time between magnitude and phase that nothing else could belong to; a scan of the whole head is longer."""

_SPACING_TOLERANCE: Final = 1e-3
"""Relative difference of PixelSpacing: 0.2 mm over the field of view."""

_DIRECTION_TOLERANCE: Final = 5e-4
"""Difference of direction cosines: 0.05 mm at the edge of the head."""


def differences(group: Group, other: Group) -> tuple[str, ...]:
    """Name the elements that keep two parts of a study from being one scan; none if they may be joined."""
    a, b = group.first, other.first
    kinds = [kind if kind in SEQUENCE_KINDS else "" for kind in (a.other_kind, b.other_kind)]
    checks = {
        "StudyInstanceUID": a.study_instance_uid == b.study_instance_uid,
        "Manufacturer": a.vendor == b.vendor,
        "SOPClassUID": a.is_frame == b.is_frame,
        "the kind of pulse sequence": kinds[0] == kinds[1],
        "FrameOfReferenceUID": _same_text(a.frame_of_reference_uid, b.frame_of_reference_uid),
        "Rows or Columns": (a.rows, a.columns) == (b.rows, b.columns),
        "PixelSpacing": _near(a.pixel_spacing_mm, b.pixel_spacing_mm, relative=_SPACING_TOLERANCE),
        "ImageOrientationPatient": _near(a.image_orientation, b.image_orientation, absolute=_DIRECTION_TOLERANCE),
        "ImagePositionPatient": _within(_positions(group), _positions(other)),
        "distortion correction (ImageType)": _corrected(a) == _corrected(b),
        "the coil element": a.coil == b.coil or not (is_element(a.coil) or is_element(b.coil)),
        "EchoTime": _one_holds_the_other(_echoes(group), _echoes(other)),
        "AcquisitionTime": group.pause_s(other) <= LONGEST_PAUSE_S,
    }
    return tuple(name for name, same in checks.items() if not same)


def mismatches(group: Group, other: Group) -> int:
    """Count what differs of that which does not keep parts apart: the fewer, the likelier they are one scan."""
    a, b = group.blocks[0], other.blocks[0]
    pairs = (
        (a.first.protocol_sha256, b.first.protocol_sha256),
        (a.first.sequence_name, b.first.sequence_name),
        (a.first.coil, b.first.coil),
        (a.name[1:3], b.name[1:3]),
    )
    return sum(one != another for one, another in pairs)


def _corrected(header: ImageHeader) -> str:
    """Distortion correction; Canon's is stated by some components only."""
    return "" if header.vendor == "canon" else header.distortion


def _same_text(a: str, b: str) -> bool:
    return a == b or not a or not b


def _near(
    a: Sequence[float] | None, b: Sequence[float] | None, *, absolute: float = 0.0, relative: float = 0.0
) -> bool:
    if a is None or b is None:
        return a is b
    return all(abs(x - y) <= absolute + relative * abs(x) for x, y in zip(a, b, strict=True))


def _echoes(group: Group) -> set[float]:
    return {cell[0] for cell in group.cells}


def _positions(group: Group) -> set[int]:
    return {cell[2] for cell in group.cells if isinstance(cell[2], int)}


def _one_holds_the_other(a: set[float], b: set[float]) -> bool:
    return a <= b or b <= a


def _within(a: set[int], b: set[int]) -> bool:
    """Whether the slices of one part are among those of the other, give or take one bin of rounding."""
    few, many = sorted((a, b), key=len)
    return all(not many.isdisjoint((position - 1, position, position + 1)) for position in few)
