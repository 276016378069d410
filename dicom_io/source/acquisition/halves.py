"""Magnitude without phase and phase without magnitude, joined where nothing that matters differs, else explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

from dicom_io.errors import Refusal
from dicom_io.refusals import refuse
from dicom_io.source.acquisition.blocks import Group, union_of
from dicom_io.source.acquisition.differences import differences, mismatches

_FEW: Final = 2
"""Elements that may differ between parts of one scan; where more do, they are parts of different scans."""

_Cost = tuple[float, int]


def joined_halves(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Join groups that hold a part of the complex signal only, the nearest in time first.

    Where two that exclude each other are equally near, nothing is joined, and all of them say so.
    """
    halves = [group for group in groups if group.is_half and group.doubt is None]
    links = sorted(_links(halves), key=lambda link: link[0])
    joined = {id(half): [half] for half in halves}
    for doubtful in _doubtful(halves, links):
        joined[id(doubtful)] = [replace(doubtful, doubt=refuse("runs-undetermined"))]
    for _, a, b in links:
        mine, theirs = joined[id(a)], joined[id(b)]
        undoubted = all(group.doubt is None for group in (*mine, *theirs))
        if mine is not theirs and undoubted and not union_of(mine).collides(union_of(theirs)):
            mine += theirs
            for half in theirs:
                joined[id(half)] = mine
    whole = [group for group in groups if id(group) not in joined]
    sets = {id(members): members for members in joined.values()}.values()
    return (*whole, *(union_of(members, members[0].doubt) for members in sets))


def _links(halves: Sequence[Group]) -> Iterator[tuple[_Cost, Group, Group]]:
    """Pairs that may be parts of one scan: of different components, or echoes that state the same time."""
    for a, b in combinations(halves, 2):
        same_study = a.first.study_instance_uid == b.first.study_instance_uid
        if not same_study or a.collides(b):
            continue
        if a.components == b.components:
            if a.is_timed and b.is_timed and not a.pause_s(b) and differences(a, b) == ("EchoTime",):
                yield (0.0, mismatches(a, b)), a, b
        elif a.components.isdisjoint(b.components) and not differences(a, b):
            yield (a.pause_s(b), mismatches(a, b)), a, b


def _doubtful(halves: Sequence[Group], links: Sequence[tuple[_Cost, Group, Group]]) -> list[Group]:
    """Find groups with two equally near partners that exclude each other, and those partners."""
    found: dict[int, Group] = {}
    for half in halves:
        near = [(cost, a if b is half else b) for cost, a, b in links if half in (a, b)]
        best = [other for cost, other in near if cost == near[0][0]]
        for one, other in combinations(best, 2):
            if one.collides(other) and (one.first.is_normalised == other.first.is_normalised or not half.is_timed):
                found |= {id(group): group for group in (half, one, other)}
    return list(found.values())


def _is_field_map_of(half: Group, other: Group) -> bool:
    return other.first.other_kind == "field-map" and other.blocks[0].scan == half.blocks[0].scan


def explained(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Say of each half that is left over what keeps it from the other half of the study, if there is one."""
    return tuple(
        group if not group.is_half or group.doubt is not None else replace(group, doubt=_reason(group, groups))
        for group in groups
    )


def _reason(half: Group, groups: Sequence[Group]) -> Refusal | None:
    others = [other for other in groups if other is not half and other.components - half.components]
    found = sorted((differences(half, other) for other in others if other.is_half and other.doubt is None), key=len)
    if found and 0 < len(found[0]) <= _FEW:
        return refuse("apart", found=" and ".join(found[0]))
    if any(_is_field_map_of(half, other) for other in groups):
        return refuse("field-map")
    used = any(not other.is_half and half.collides(other) and not differences(half, other) for other in others)
    return refuse("extra-series", found=", ".join(sorted(half.components))) if used else None
