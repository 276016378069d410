"""Which images belong together.

A series is not an acquisition: one acquisition may come as one series (Philips, GE), as magnitude and phase series
(Siemens), or as one series per echo and component (Siemens XA). And one series may hold several repetitions.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from dicom_io.errors import DicomError, Refusal
from dicom_io.source.acquisition.blocks import Block, Group, blocks_of, common_echo_times, in_order
from dicom_io.source.acquisition.completeness import Completeness, completeness_of
from dicom_io.source.acquisition.differences import LONGEST_PAUSE_S
from dicom_io.source.acquisition.grid import SliceGrid
from dicom_io.source.acquisition.halves import explained, joined_halves
from dicom_io.source.acquisition.repetitions import coil_elements_apart, repetitions_settled
from dicom_io.source.header import ImageHeader
from dicom_io.source.vendors import vendor_named

MAXIMUM_PAUSE_S: Final = 10.0
"""Longest time between images of one acquisition that are in different series.

Echoes and components of one scan carry the same AcquisitionTime, or differ by milliseconds (VE11, XA30); a
repetition starts after the duration of a scan.
"""


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """Images that belong together.

    Parameters
    ----------
    key
        Stable identity, the same for the same series in any order and number of images; no patient data.
    headers
        The images, each once, in an order that does not depend on their arrival.
    doubt
        Why it cannot be told what belongs to them; None if it can.
    """

    key: str
    headers: tuple[ImageHeader, ...]
    doubt: Refusal | None = None

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
        return completeness_of(self.headers, self.doubt)

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


def group_acquisitions(headers: Iterable[ImageHeader]) -> tuple[Acquisition, ...]:
    """Group images into acquisitions; the order of the images does not matter.

    Blocks (a series, or one repetition within a series) belong together if study, frame of reference, vendor,
    protocol, coil, matrix, orientation and distortion correction are the same, they hold no image at the same echo,
    component and slice, and were acquired within ``MAXIMUM_PAUSE_S`` of each other; of several candidates
    the one nearest in time. Magnitude and phase that are left alone are then joined in spite of differences without
    meaning (``differences``). Repetitions that cannot be told apart are not joined to anything.

    Copies of an image are dropped; copies with other content are kept, so that ``assess`` rejects them. Images may be
    of any number of studies; acquisitions are ordered by study, then time.
    """
    groups: list[Group] = []
    for block in blocks_of(_without_copies(headers)):
        candidates = [index for index, group in enumerate(groups) if _belongs(block, group)]
        if candidates:
            nearest = min(candidates, key=lambda index: _distance(block, groups[index]))
            groups[nearest] = Group(blocks=(*groups[nearest].blocks, block))
        else:
            groups.append(Group(blocks=(block,)))
    settled = repetitions_settled(coil_elements_apart(groups, MAXIMUM_PAUSE_S))
    final = in_order(explained(joined_halves(settled)))
    weighted = [group for group in final if group.first.other_kind == "weighted-image"]
    return tuple(_acquisition(group, weighted) for group in final)


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


def _belongs(block: Block, group: Group) -> bool:
    """Whether a block is part of a group; weighted images and projections, without a component, never are.

    They may arrive long after the acquisition is complete, and must not make another one of it.
    """
    if not block.cells or not group.cells or block.scan != group.blocks[0].scan or block.first.coil != group.first.coil:
        return False
    return group.cells.isdisjoint(block.cells) and group.pause_s(Group(blocks=(block,))) <= MAXIMUM_PAUSE_S


def _distance(block: Block, group: Group) -> tuple[float, bool, bool, bool, int]:
    """Order groups by how near they are: in time, by the number of the repetition, normalisation, series number.

    Where a study holds classic and Enhanced images of one scan, each kind is joined to its own.
    """
    other_kind = group.first.is_frame != block.first.is_frame
    other_number = all(block.name[1:3] != other.name[1:3] for other in group.blocks)
    other_look = group.first.is_normalised != block.first.is_normalised
    numbers = [other.first.series_number or 0 for other in group.blocks]
    gap = min(abs((block.first.series_number or 0) - number) for number in numbers)
    return Group(blocks=(block,)).pause_s(group), other_kind, other_number, other_look, gap


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


def _with_common_echo_times(headers: tuple[ImageHeader, ...]) -> tuple[ImageHeader, ...]:
    """Give images of one echo, whose times are written with other digits, the same time."""
    times = common_echo_times({header.echo_time_s for header in headers if header.echo_time_s is not None})
    if all(time == common for time, common in times.items()):
        return headers
    return tuple(
        header if header.echo_time_s is None else replace(header, echo_time_s=times[header.echo_time_s])
        for header in headers
    )


def _of_one_place(group: Group, other: Group) -> bool:
    """Whether images without an echo or component of their own belong to a scan: same place, and not long after."""
    a, b = group.first, other.first
    same = (a.study_instance_uid, a.frame_of_reference_uid) == (b.study_instance_uid, b.frame_of_reference_uid)
    return same and a.protocol_sha256 == b.protocol_sha256 and group.pause_s(other) <= LONGEST_PAUSE_S


def _acquisition(group: Group, weighted: Sequence[Group]) -> Acquisition:
    images = tuple(sorted(itertools.chain.from_iterable(block.headers for block in group.blocks), key=_image_order))
    if group.cells and any(_of_one_place(group, other) for other in weighted):
        images = tuple(replace(image, weighted_beside=image.component is not None) for image in images)
    names = sorted("\t".join(map(str, block.name)) for block in group.blocks)
    identity = "\n".join([images[0].study_instance_uid, *names])
    return Acquisition(
        key=hashlib.sha256(identity.encode()).hexdigest(),
        headers=_with_common_echo_times(_with_unit(images)),
        doubt=group.doubt,
    )
