"""Which images belong together.

A series is not an acquisition: one acquisition may come as one series (Philips, GE), as magnitude and phase series
(Siemens), or as one series per echo and component (Siemens XA). And one series may hold several repetitions.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Final

from dicom_io.errors import DicomError, Refusal
from dicom_io.source.acquisition.completeness import Completeness, completeness_of
from dicom_io.source.acquisition.grid import POSITION_TOLERANCE_MM, SliceGrid, echo_key_s
from dicom_io.source.geometry import position_mm
from dicom_io.source.header import ImageHeader
from dicom_io.source.vendors import vendor_named

MAXIMUM_PAUSE_S: Final = 10.0
"""Longest time between images of one acquisition that are in different series.

Echoes and components of one scan carry the same AcquisitionTime, or differ by milliseconds (VE11, XA30); a
repetition starts after the duration of a scan.
"""

_DIRECTION_DECIMALS: Final = 4
_DATE_TIME: Final = re.compile(r"\d{14}(\.\d{1,6})?")


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """Images that belong together.

    Parameters
    ----------
    key
        Stable identity, the same for the same series in any order and number of images; no patient data.
    headers
        The images, each once, in an order that does not depend on their arrival.
    """

    key: str
    headers: tuple[ImageHeader, ...]

    @property
    def vendor(self) -> str:
        """``name`` of the row in ``dicom_io.source.vendors.VENDORS`` that reads the images."""
        return self.headers[0].vendor

    @cached_property
    def series_instance_uids(self) -> tuple[str, ...]:
        """Its series, sorted."""
        return tuple(sorted({header.series_instance_uid for header in self.headers}))

    @cached_property
    def completeness(self) -> Completeness:
        """Whether it can be reconstructed, whatever its size; ``assess`` also compares that with a limit."""
        return completeness_of(self.headers)

    @property
    def slices(self) -> SliceGrid:
        """The images in their places.

        Raises
        ------
        Refusal
            They could not be placed: the reason of ``completeness``.
        """
        if self.completeness.slices is None:
            raise self.completeness.reason or DicomError("the images have no place")
        return self.completeness.slices


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Images that the scanner itself marks as one: a series, and a repetition within it."""

    name: tuple[str, int, int]
    headers: tuple[ImageHeader, ...]
    bucket: tuple[object, ...]
    interval: tuple[float, float] | None
    cells: frozenset[tuple[object, ...]]


def group_acquisitions(headers: Iterable[ImageHeader]) -> tuple[Acquisition, ...]:
    """Group images into acquisitions; the order of the images does not matter.

    Blocks (a series, or one repetition within a series) belong together if study, frame of reference, vendor,
    protocol, matrix, orientation and distortion correction are the same, they hold no image at the same echo,
    component and slice, and were acquired within ``MAXIMUM_PAUSE_S`` of each other; of several candidates
    the one nearest in time. Copies of an image are dropped; copies with other content are kept, so that
    ``assess`` rejects them.

    Images may be of any number of studies; acquisitions are ordered by study, then time.
    """
    blocks: dict[tuple[str, int, int], list[ImageHeader]] = defaultdict(list)
    for header in _without_copies(headers):
        number = header.acquisition_number or 0, header.temporal_position or 0
        blocks[header.series_instance_uid, *number].append(header)
    groups: list[list[_Block]] = []
    for block in sorted((_block(name, members) for name, members in blocks.items()), key=_block_order):
        candidates = [group for group in groups if _belongs(block, group)]
        if candidates:
            min(candidates, key=partial(_distance, block)).append(block)
        else:
            groups.append([block])
    return tuple(_acquisition(group) for group in groups)


def _without_copies(headers: Iterable[ImageHeader]) -> list[ImageHeader]:
    unique: dict[tuple[str, int, str], ImageHeader] = {}
    for header in sorted(headers, key=lambda h: str(h.path)):
        unique.setdefault((header.sop_instance_uid, header.frame, header.content_sha256), header)
    return sorted(unique.values(), key=_image_order)


def _image_order(header: ImageHeader) -> tuple[object, ...]:
    return (
        header.series_instance_uid,
        header.instance_number or 0,
        header.sop_instance_uid,
        header.frame,
        header.content_sha256,
    )


def _block(name: tuple[str, int, int], headers: Sequence[ImageHeader]) -> _Block:
    first = headers[0]
    times = [time for time in map(_acquired_s, headers) if time is not None]
    matrix = (first.rows, first.columns, first.pixel_spacing_mm)
    directions = tuple(round(c, _DIRECTION_DECIMALS) for c in first.image_orientation or ())
    return _Block(
        name=name,
        headers=tuple(headers),
        bucket=(
            first.study_instance_uid,
            first.frame_of_reference_uid,
            first.vendor,
            first.protocol_sha256,
            first.sequence_name,
            first.distortion,
            matrix,
            directions,
        ),
        interval=(min(times), max(times)) if times else None,
        cells=frozenset(_cell(header) for header in headers if header.component is not None),
    )


def _cell(header: ImageHeader) -> tuple[object, ...]:
    try:
        position: object = round(position_mm(header)[2] / (5 * POSITION_TOLERANCE_MM))
    except Refusal:  # ``assess`` reports it; here an image without a place collides with nothing
        position = header.sop_instance_uid
    return echo_key_s(header), header.component, position


def _acquired_s(header: ImageHeader) -> float | None:
    if not _DATE_TIME.fullmatch(header.acquired):
        return None
    try:
        form = "%Y%m%d%H%M%S.%f" if "." in header.acquired else "%Y%m%d%H%M%S"
        return (datetime.strptime(header.acquired, form) - datetime(1970, 1, 1)).total_seconds()
    except ValueError:
        return None


def _block_order(block: _Block) -> tuple[object, ...]:
    start = block.interval[0] if block.interval else float("inf")
    first = block.headers[0]
    return first.study_instance_uid, start, first.series_number or 0, block.name


def _belongs(block: _Block, group: Sequence[_Block]) -> bool:
    """Whether a block is part of a group; weighted images and projections, without a component, never are.

    They may arrive long after the acquisition is complete, and must not make another one of it.
    """
    if not block.cells or any(not other.cells for other in group):
        return False
    if any(block.bucket != other.bucket or block.cells & other.cells for other in group):
        return False
    return _pause_s(block, group) <= MAXIMUM_PAUSE_S


def _distance(block: _Block, group: Sequence[_Block]) -> tuple[float, bool]:
    """Order groups by how near they are: in time, then classic with classic where a study holds both kinds."""
    other_kind = group[0].headers[0].sop_class_uid != block.headers[0].sop_class_uid
    return _pause_s(block, group), other_kind


def _pause_s(block: _Block, group: Sequence[_Block]) -> float:
    """Shortest time between a block and the blocks of a group; 0 if times are not known."""
    return min(_gap_s(block, other) for other in group)


def _gap_s(a: _Block, b: _Block) -> float:
    if a.interval is None or b.interval is None:
        return 0.0
    return max(0.0, a.interval[0] - b.interval[1], b.interval[0] - a.interval[1])


def _with_unit(headers: tuple[ImageHeader, ...]) -> tuple[ImageHeader, ...]:
    """Give phase images whose unit no element states the one that the values of all of them show."""
    radians_per_step = vendor_named(headers[0].vendor).radians_per_step
    peaks = [header.stored_peak for header in headers if header.stored_peak is not None]
    slope = radians_per_step(max(peaks)) if radians_per_step and peaks else None
    if slope is None:
        return headers
    return tuple(
        header if header.stored_peak is None else replace(header, value_slope=slope, value_intercept=0.0)
        for header in headers
    )


def _acquisition(group: Sequence[_Block]) -> Acquisition:
    headers = _with_unit(tuple(sorted(itertools.chain.from_iterable(b.headers for b in group), key=_image_order)))
    identity = "\n".join([headers[0].study_instance_uid, *sorted("\t".join(map(str, block.name)) for block in group)])
    return Acquisition(key=hashlib.sha256(identity.encode()).hexdigest(), headers=headers)
