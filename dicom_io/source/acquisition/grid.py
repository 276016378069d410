"""The grid of an acquisition: echoes × components × slices, and what is missing from it."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dicom_io.source.components import Component
from dicom_io.source.geometry import position_mm
from dicom_io.source.header import ImageHeader

POSITION_TOLERANCE_MM: Final = 0.02
"""Slices closer than this are one: positions are written with as few as six digits."""

ECHO_TIME_TOLERANCE_S: Final = 2e-5
"""Echo times closer than this are one: magnitude and phase may be written with other digits. In 0.02 ms the phase turns
by 0.013 rad at 100 Hz, and no sequence has echoes that close."""

SPACING_TOLERANCE: Final = 1e-3
"""Relative deviation from equal distances that is rounding."""

Cell = tuple[int, Component, int]


@dataclass(frozen=True, kw_only=True)
class SliceGrid:
    """Images of one acquisition in their places.

    Parameters
    ----------
    echo_times_s
        Increasing.
    components
        Components that make up each echo.
    positions_mm
        Along the slice normal, increasing; gaps of whole slices are filled in.
    spacing_mm
        Smallest distance of two slices; 0 for a single one.
    cells
        Images at (echo index, component, slice index).
    """

    echo_times_s: tuple[float, ...]
    components: tuple[Component, ...]
    positions_mm: tuple[float, ...]
    spacing_mm: float
    cells: Mapping[Cell, tuple[ImageHeader, ...]]

    @property
    def first_echo(self) -> tuple[ImageHeader, ...]:
        """First echo's image of each slice, of a complete grid."""
        return tuple(self.cells[0, self.components[0], z][0] for z in range(len(self.positions_mm)))

    def all_cells(self) -> Iterable[Cell]:
        """Every place that needs one image."""
        return itertools.product(range(len(self.echo_times_s)), self.components, range(len(self.positions_mm)))

    def describe(self, cells: Iterable[Cell]) -> tuple[str, ...]:
        """Name places for people: ``"echo 3 phase: slices 44-45"``, slices counted along the normal."""
        by_stack: dict[tuple[int, Component], list[int]] = defaultdict(list)
        for echo, component, index in cells:
            by_stack[echo, component].append(index)
        return tuple(
            f"echo {echo + 1} {component}: {_ranges(sorted(indices), len(self.positions_mm))}"
            for (echo, component), indices in sorted(by_stack.items())
        )


def slice_grid(headers: Sequence[ImageHeader], components: tuple[Component, ...]) -> SliceGrid:
    """Put images with an echo time and a geometry in their places; those of other components are left out."""
    used = [(header, position_mm(header)[2]) for header in headers if header.component in components]
    echo_times = sorted({echo_key_s(header) for header, _ in used})
    found = _merged(position for _, position in used)
    spacing = min((b - a for a, b in itertools.pairwise(found)), default=0.0)
    positions = _fill_gaps(found, spacing)
    cells: dict[Cell, list[ImageHeader]] = defaultdict(list)
    for header, position in used:
        if header.component is not None:
            cells[echo_times.index(echo_key_s(header)), header.component, _nearest(positions, position)].append(header)
    return SliceGrid(
        echo_times_s=tuple(echo_times),
        components=components,
        positions_mm=positions,
        spacing_mm=spacing,
        cells={cell: tuple(images) for cell, images in cells.items()},
    )


def _nearest(positions: Sequence[float], position: float) -> int:
    """Index of the nearest of increasing positions."""
    behind = min(bisect_left(positions, position), len(positions) - 1)
    before = max(0, behind - 1)
    return before if position - positions[before] <= positions[behind] - position else behind


def echo_key_s(header: ImageHeader) -> float:
    """Echo time to the microsecond; it distinguishes echoes, as EchoNumbers is absent in XA images."""
    return round(header.echo_time_s or 0.0, 6)


def _merged(positions_mm: Iterable[float]) -> tuple[float, ...]:
    """Distinct positions, increasing: those within ``POSITION_TOLERANCE_MM`` are one."""
    merged: list[float] = []
    for position in sorted(positions_mm):
        if not merged or position - merged[-1] > POSITION_TOLERANCE_MM:
            merged.append(position)
    return tuple(merged)


def uneven_step_mm(grid: SliceGrid) -> float | None:
    """Find a distance between neighbouring slices that is not the spacing; None if all are."""
    tolerance = SPACING_TOLERANCE * grid.spacing_mm + POSITION_TOLERANCE_MM
    steps = (b - a for a, b in itertools.pairwise(grid.positions_mm))
    return next((step for step in steps if abs(step - grid.spacing_mm) > tolerance), None)


def _fill_gaps(positions: tuple[float, ...], spacing: float) -> tuple[float, ...]:
    filled = list(positions[:1])
    for a, b in itertools.pairwise(positions):
        steps = round((b - a) / spacing)
        tolerance = steps * SPACING_TOLERANCE * spacing + POSITION_TOLERANCE_MM
        if abs(b - a - steps * spacing) <= tolerance:
            filled += [a + (b - a) * step / steps for step in range(1, steps)]
        filled.append(b)
    return tuple(filled)


def _ranges(indices: Sequence[int], count: int) -> str:
    if len(indices) == count:
        return "all slices"
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    numbers = ", ".join(str(a + 1) if a == b else f"{a + 1}-{b + 1}" for a, b in runs)
    return f"slice {numbers}" if len(indices) == 1 else f"slices {numbers}"
