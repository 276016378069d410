"""Repetitions of a scan that nothing but their order tells apart, and coil elements stored beside a scan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from dicom_io.refusals import refuse
from dicom_io.source.acquisition.blocks import Block, Group, connected, union_of
from dicom_io.source.acquisition.coils import elements_of
from dicom_io.source.components import Component

COIL_ELEMENT = "coil-element"
"""``ImageHeader.other_kind`` of an image of a single coil element beside the combined images."""


def coil_elements_apart(groups: Sequence[Group], longest_pause_s: float) -> tuple[Group, ...]:
    """Make one group of all single coil elements of a scan; its combined images are used.

    Without combined images, the elements are one group with several images of each place, which is rejected.
    """
    found: list[Group] = []
    for same in _of_one_scan(groups):
        if len({group.first.coil for group in same}) == 1:
            found += same
            continue
        for together in connected(same, lambda a, b: a.collides(b) and a.pause_s(b) <= longest_pause_s):
            found += _elements_together(together)
    return tuple(found)


def _elements_together(groups: list[Group]) -> list[Group]:
    coils = {group.first.coil for group in groups}
    names = elements_of(coils)
    simultaneous = all(group.is_timed for group in groups) and not any(a.pause_s(b) for a, b in pairwise(groups))
    if not names and simultaneous:
        names = frozenset(coils)
    elements = [group for group in groups if group.first.coil in names]
    combined = [group for group in groups if group.first.coil not in names]
    if len(coils) == 1 or not elements:
        return groups
    together = union_of(elements)
    if combined:
        together = Group(blocks=tuple(map(_as_element, together.blocks)))
    return [*combined, together]


def _as_element(block: Block) -> Block:
    return replace(block, headers=tuple(replace(header, other_kind=COIL_ELEMENT) for header in block.headers))


def repetitions_settled(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Put repetitions whose magnitudes and phases cannot be assigned to each other into one group that says so.

    Their times are missing or the same. They are told apart if each has a repetition number of its own, or if they
    follow one another in their series numbers with the same echoes and components.
    """
    found: list[Group] = []
    for same in _of_one_scan(groups):
        for together in connected(same, lambda a, b: a.collides(b) and not a.pause_s(b)):
            settled = len(together) == 1 or _told_apart(together)
            found += together if settled else [union_of(together, refuse("runs-undetermined"))]
    return tuple(found)


def _told_apart(groups: list[Group]) -> bool:
    if all(len(group.blocks) == 1 for group in groups):
        return True  # nothing was assigned to anything
    numbers = [{block.name[1:3] for block in group.blocks} for group in groups]
    if len(set().union(*numbers)) == sum(map(len, numbers)) == len(groups):
        return True
    looks = [_magnitudes(group) for group in groups]
    differ = all(looks) and len(frozenset().union(*looks)) == sum(map(len, looks))
    timed = all(group.is_timed for group in groups)
    if sum(len(group.components) > 1 for group in groups) == 1 or (differ and timed):
        return differ or timed
    return _follow_one_another(groups) and len({frozenset(cell[:2] for cell in group.cells) for group in groups}) == 1


def _magnitudes(group: Group) -> frozenset[tuple[bool, str]]:
    """Say in what magnitude images of one scan may differ: with and without normalisation, and coils."""
    magnitudes = [block.first for block in group.blocks if block.first.component is Component.MAGNITUDE]
    return frozenset((image.is_normalised, image.coil) for image in magnitudes)


def _follow_one_another(groups: list[Group]) -> bool:
    numbers = [[block.first.series_number for block in group.blocks] for group in groups]
    known = [[number for number in some if number is not None] for some in numbers]
    ranges = sorted((min(some), max(some)) for some in known if some)
    complete = [len(some) for some in known] == [len(some) for some in numbers]
    return complete and all(a[1] < b[0] for a, b in pairwise(ranges))


def _of_one_scan(groups: Sequence[Group]) -> list[list[Group]]:
    found: dict[tuple[object, ...], list[Group]] = defaultdict(list)
    for group in groups:
        found[(group.first.is_frame, group.first.other_kind, *group.blocks[0].scan)].append(group)
    return list(found.values())
