"""Blocks: images that the scanner itself marks as one, and what decides whether two blocks are of one scan."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from dicom_io.errors import Refusal
from dicom_io.source.acquisition.grid import ECHO_TIME_TOLERANCE_S, POSITION_TOLERANCE_MM
from dicom_io.source.components import Component
from dicom_io.source.geometry import position_mm
from dicom_io.source.header import ImageHeader
from dicom_io.source.kinds import SEQUENCE_KINDS

_DIRECTION_DECIMALS: Final = 4
_DATE_TIME: Final = re.compile(r"\d{14}(\.\d{1,6})?")
_BIN_MM: Final = 5 * POSITION_TOLERANCE_MM
_BIN_OFFSET: Final = 0.37
"""Keeps the edges of bins of slice positions off round numbers, next to which rounding would divide a slice."""

Cell = tuple[float, Component, object]
"""Echo time in seconds, component and slice of an image."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A series, and a repetition and coil within it.

    Parameters
    ----------
    name
        Series, AcquisitionNumber and temporal position; and the coil, where the series holds images of several.
    headers
        The images.
    interval
        First and last time of acquisition in seconds; None if no image states one.
    cells
        Places of the images that are components; empty for weighted images, projections and maps.
    """

    name: tuple[str | int, ...]
    headers: tuple[ImageHeader, ...]
    interval: tuple[float, float] | None
    cells: frozenset[Cell]

    @property
    def first(self) -> ImageHeader:
        """The first image, which stands for all in what the scanner states of the scan."""
        return self.headers[0]

    @cached_property
    def scan(self) -> tuple[object, ...]:
        """What is the same in all blocks of one scan, as the scanner writes it."""
        first = self.first
        return (
            first.study_instance_uid,
            first.frame_of_reference_uid,
            first.vendor,
            first.protocol_sha256,
            first.sequence_name,
            first.distortion,
            first.other_kind if first.other_kind in SEQUENCE_KINDS else "",
            (first.rows, first.columns, first.pixel_spacing_mm),
            tuple(round(c, _DIRECTION_DECIMALS) for c in first.image_orientation or ()),
        )


def blocks_of(headers: Iterable[ImageHeader]) -> list[Block]:
    """Divide images into blocks, ordered by study, time and series number.

    A series without any component is one block, however many repetitions it holds: one answer is given for it.
    """
    images = list(headers)
    echoes = common_echo_times({image.echo_time_s or 0.0 for image in images})
    by_series: dict[str, list[ImageHeader]] = defaultdict(list)
    for image in images:
        by_series[image.series_instance_uid].append(image)
    blocks: list[Block] = []
    for series, members in by_series.items():
        undivided = all(image.component is None for image in members)
        repetitions: dict[tuple[int, int], list[ImageHeader]] = defaultdict(list)
        for image in members:
            number = image.acquisition_number or 0, image.temporal_position or 0
            repetitions[(0, 0) if undivided else number].append(image)
        for number, repetition in repetitions.items():
            blocks += _by_coil(_block((series, *number), repetition, echoes), echoes)
    return sorted(blocks, key=_order)


def _block(name: tuple[str | int, ...], headers: Sequence[ImageHeader], echoes: Mapping[float, float]) -> Block:
    times = [time for time in map(_acquired_s, headers) if time is not None]
    return Block(
        name=name,
        headers=tuple(headers),
        interval=(min(times), max(times)) if times else None,
        cells=frozenset(
            (echoes[header.echo_time_s or 0.0], header.component, _position(header))
            for header in headers
            if header.component is not None
        ),
    )


def _by_coil(block: Block, echoes: Mapping[float, float]) -> list[Block]:
    """Divide a block by coil, if that explains why it holds several images of the same place."""
    if len(block.cells) == sum(header.component is not None for header in block.headers):
        return [block]
    coils: dict[str, list[ImageHeader]] = defaultdict(list)
    for header in block.headers:
        coils[header.coil].append(header)
    return (
        [_block((*block.name, coil), images, echoes) for coil, images in coils.items()] if len(coils) > 1 else [block]
    )


def common_echo_times(echo_times_s: Iterable[float]) -> dict[float, float]:
    """Give echo times that are one the same value: those within ``ECHO_TIME_TOLERANCE_S`` of the first of them."""
    common: dict[float, float] = {}
    first = -math.inf
    for time in sorted(echo_times_s):
        first = time if time - first > ECHO_TIME_TOLERANCE_S else first
        common[time] = first
    return common


def _position(header: ImageHeader) -> object:
    try:
        return round(position_mm(header)[2] / _BIN_MM + _BIN_OFFSET)
    except Refusal:  # ``assess`` reports it; here an image without a place collides with nothing
        return header.sop_instance_uid


def _acquired_s(header: ImageHeader) -> float | None:
    if not _DATE_TIME.fullmatch(header.acquired):
        return None
    try:
        form = "%Y%m%d%H%M%S.%f" if "." in header.acquired else "%Y%m%d%H%M%S"
        return (datetime.strptime(header.acquired, form) - datetime(1970, 1, 1)).total_seconds()
    except ValueError:
        return None


def _order(block: Block) -> tuple[object, ...]:
    start = block.interval[0] if block.interval else float("inf")
    return block.first.study_instance_uid, start, block.first.series_number or 0, tuple(map(str, block.name))


@dataclass(frozen=True, kw_only=True)
class Group:
    """Blocks of one scan.

    Parameters
    ----------
    blocks
        In the order of ``blocks_of``.
    doubt
        Why it cannot be told whether, or with what, they belong together; None if it can.
    """

    blocks: tuple[Block, ...]
    doubt: Refusal | None = None

    @property
    def first(self) -> ImageHeader:
        """The first image."""
        return self.blocks[0].first

    @cached_property
    def cells(self) -> frozenset[Cell]:
        """Places of all images."""
        return frozenset().union(*(block.cells for block in self.blocks))

    @cached_property
    def components(self) -> frozenset[Component]:
        """What the images show."""
        return frozenset(cell[1] for cell in self.cells)

    @property
    def is_half(self) -> bool:
        """Whether there is a part of the complex signal only, which other series may complete."""
        polar, cartesian = {Component.MAGNITUDE, Component.PHASE}, {Component.REAL, Component.IMAGINARY}
        return bool(self.components) and not (polar <= self.components or cartesian <= self.components)

    def collides(self, other: Group) -> bool:
        """Whether both hold an image of the same echo, component and slice."""
        return not self.cells.isdisjoint(other.cells)

    def pause_s(self, other: Group) -> float:
        """Shortest time between blocks of two groups; 0 if the time of one is not known."""
        mine, theirs = ([block.interval for block in group.blocks] for group in (self, other))
        if None in mine or None in theirs:
            return 0.0
        gaps = (max(0.0, a[0] - b[1], b[0] - a[1]) for a in mine if a for b in theirs if b)
        return min(gaps, default=0.0)

    @property
    def is_timed(self) -> bool:
        """Whether the time of every block is known."""
        return all(block.interval is not None for block in self.blocks)


def in_order(groups: Iterable[Group]) -> list[Group]:
    """Order groups by study, then time."""
    return sorted(groups, key=lambda group: _order(group.blocks[0]))


def union_of(groups: Iterable[Group], doubt: Refusal | None = None) -> Group:
    """Make one group of several."""
    return Group(blocks=tuple(sorted((b for group in groups for b in group.blocks), key=_order)), doubt=doubt)


def connected(groups: Sequence[Group], linked: Callable[[Group, Group], bool]) -> list[list[Group]]:
    """Divide groups into sets that are linked, directly or through others."""
    sets: list[list[Group]] = []
    for group in groups:
        near = [one for one in sets if any(linked(group, other) for other in one)]
        sets = [one for one in sets if one not in near] + [[*(g for one in near for g in one), group]]
    return sets
