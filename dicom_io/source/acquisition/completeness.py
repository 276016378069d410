"""Whether an acquisition can be reconstructed: every echo × component × slice exactly once, and the physics.

Never a map from an incomplete grid; decided before any pixel is decoded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from dicom_io.errors import Refusal
from dicom_io.refusals import refuse
from dicom_io.source.acquisition.declared import is_counted, missing_between, missing_by_count, without_means
from dicom_io.source.acquisition.grid import SliceGrid, echo_key_s, slice_grid, uneven_step_mm
from dicom_io.source.components import Component
from dicom_io.source.geometry import axes, position_mm
from dicom_io.source.header import ImageHeader
from dicom_io.source.main_field import b0_direction, b0_tesla
from dicom_io.source.vendors import vendor_named

if TYPE_CHECKING:  # an acquisition holds its completeness
    from dicom_io.source.acquisition.grouping import Acquisition

IN_PLANE_TOLERANCE_MM: Final = 0.05
"""How far the corners of the slices may be from one line along the normal."""

LARGEST_GIB: Final = 16.0
"""Stored pixels of one acquisition beyond which memory would be at risk; 0.5 mm whole head, ten echoes: 3 GiB."""

_SPACING_TOLERANCE: Final = 1e-3
"""Relative difference of PixelSpacing that is rounding."""

_DIRECTION_TOLERANCE: Final = 5e-4
"""Difference of direction cosines that is rounding."""

_SCALE_TOLERANCE: Final = 1e-3
"""Relative difference of two scales up to which phase is off by less than a milliradian."""

_WIDEST_GAP: Final = 1.5
"""Ratio of the distance of slices to their thickness. Simulated at 2, the map's error is 1.6 times as large."""

_SHORTEST_ECHO_S: Final = 5e-4
_LONGEST_ECHO_S: Final = 0.5
"""Last echoes of real scans end far from both; what is beyond them is in another unit than milliseconds."""

State = Literal["complete", "incomplete", "refused"]


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """Whether an acquisition can be reconstructed.

    Parameters
    ----------
    state
        ``"complete"``: it can be reconstructed. ``"incomplete"``: it cannot yet, but images that may still arrive
        can change that. ``"refused"``: no further image can help.
    reason
        Why it is not reconstructed; None if complete.
    missing
        Gaps in words, such as ``"echo 3 phase: slices 44-45"``, slices counted along their normal.
    slices
        The images in their places; None where they could not be placed.
    counted
        Whether the scanner says how many slices and echoes there are, so that no more can come (``is_counted``).
    """

    state: State
    reason: Refusal | None = None
    missing: tuple[str, ...] = ()
    slices: SliceGrid | None = None
    counted: bool = False


def assess(acquisition: Acquisition, *, largest_gib: float = LARGEST_GIB) -> Completeness:
    """Decide from the headers whether an acquisition can be reconstructed and its stored pixels are not too large.

    A stack whose outer slices or last echoes have not arrived looks complete, unless the scanner declares how
    many there are; callers that receive images one by one therefore also wait for the end of the association
    or a pause. The first reason is given, in the order in which a technologist would correct them.
    """
    found_gib = sum(2 * header.rows * header.columns for header in acquisition.headers) / 2**30
    if found_gib > largest_gib:
        return Completeness(
            state="refused", reason=refuse("too-large", found=f"{found_gib:.3g}", limit=f"{largest_gib:.3g}")
        )
    return acquisition.completeness


def completeness_of(images: Sequence[ImageHeader], doubt: Refusal | None = None) -> Completeness:
    """Work out what ``Acquisition.completeness`` holds, from the headers of all its images and its ``doubt``."""
    headers = [header for header in images if header.component is not None]
    try:
        _check_copies(images)
        _check_kind(headers)
        components = doubt or (_components(headers, images) if headers else _unknown(images))
        if isinstance(components, Refusal):
            return Completeness(state="incomplete", reason=components)
        headers = without_means(headers)
        used = [header for header in headers if header.component in (*components, Component.MAGNITUDE)]
        _check_physics(used)
        _check_phase(used)
        _check_geometry(used)
        return _check_grid(slice_grid(headers, components), used, images)
    except Refusal as reason:
        return Completeness(state="refused", reason=reason)


def _check_copies(headers: Sequence[ImageHeader]) -> None:
    copies = Counter((header.sop_instance_uid, header.frame) for header in headers)
    count = sum(1 for number in copies.values() if number > 1)
    if count:
        raise refuse("same-uid-different-content", count=count)


def _check_kind(headers: Sequence[ImageHeader]) -> None:
    for header in headers:
        if header.other_kind:
            raise refuse(header.other_kind, found="\\".join(header.scanning_sequence))
        if header.phase_difference:
            raise refuse("phase-difference")


def _unknown(images: Sequence[ImageHeader]) -> Refusal:
    """Say what images without any component show, as far as the header tells."""
    kinds = Counter(image.other_kind for image in images if image.other_kind)
    if kinds:
        return refuse(kinds.most_common(1)[0][0])
    return refuse("component-unknown", attribute=vendor_named(images[0].vendor).component_element)


def _components(headers: Sequence[ImageHeader], images: Sequence[ImageHeader]) -> tuple[Component, ...] | Refusal:
    """Components to read: magnitude and phase, else real and imaginary with the magnitude if it is there."""
    echoes: dict[Component, set[float]] = defaultdict(set)
    for header in headers:
        if header.component is not None:
            echoes[header.component].add(echo_key_s(header))
    magnitude = (Component.MAGNITUDE,) if Component.MAGNITUDE in echoes else ()
    if Component.PHASE in echoes:
        if _differences_only(echoes):
            return refuse("phase-difference")
        if not magnitude:
            return refuse("no-magnitude", found=_count(echoes[Component.PHASE]))
        if len(echoes[Component.MAGNITUDE]) == len(echoes[Component.PHASE]) and echoes[Component.MAGNITUDE].isdisjoint(
            echoes[Component.PHASE]
        ):
            return refuse("apart", found="EchoTime")
        return (*magnitude, Component.PHASE)
    if Component.REAL in echoes or Component.IMAGINARY in echoes:
        return (*magnitude, Component.REAL, Component.IMAGINARY)
    if any(image.other_kind == "field-map" for image in images):
        return refuse("field-map")
    vendor = vendor_named(headers[0].vendor)
    if vendor.unnamed_is_magnitude and len({(echo_key_s(h), h.image_position_mm) for h in headers}) < len(headers):
        return refuse("component-unknown", attribute=vendor.component_element)
    return refuse("no-phase", found=f"found the magnitude of {_count(echoes[Component.MAGNITUDE])}")


def _count(echoes: set[float]) -> str:
    return f"{len(echoes)} echo{'' if len(echoes) == 1 else 'es'}"


def _differences_only(echoes: dict[Component, set[float]]) -> bool:
    """Whether every echo but the first has a phase: then each may hold the difference to the one before."""
    unknown = {0.0}  # images without an echo time are rejected for that
    magnitude, phase = echoes[Component.MAGNITUDE] - unknown, echoes[Component.PHASE] - unknown
    return len(magnitude) > 1 and phase == magnitude - {min(magnitude)}


def _check_physics(headers: Sequence[ImageHeader]) -> None:
    for header in headers:
        if header.echo_time_s is None or header.echo_time_s <= 0:
            raise refuse("no-echo-time", found=f"{header.component} images")
    times_s = [header.echo_time_s for header in headers if header.echo_time_s is not None]
    if times_s and not _SHORTEST_ECHO_S <= max(times_s) <= _LONGEST_ECHO_S:
        times = [f"{1000 * time:.6g}" for time in (min(times_s), max(times_s))]
        raise refuse("implausible-echo-time", found=" to ".join(dict.fromkeys(times)))
    numbers: dict[float, set[int]] = defaultdict(set)
    for header in headers:
        if header.echo_number is not None:
            numbers[echo_key_s(header)].add(header.echo_number)
    for same in numbers.values():
        if len(same) > 1:
            raise refuse("equal-echo-times", found=" and ".join(map(str, sorted(same))))
    by_time = [next(iter(numbers[time])) for time in sorted(numbers)]
    if len(set(by_time)) == len(by_time) and by_time != sorted(by_time):
        raise refuse("echo-order", found=", ".join(map(str, by_time)))
    by_strength = {(h.field_strength_t, h.imaging_frequency_mhz): h for h in headers}
    for header in by_strength.values():
        b0_tesla(header)


def _check_phase(headers: Sequence[ImageHeader]) -> None:
    for header in headers:
        if header.filter_hint:
            raise refuse("filtered-phase", found=header.filter_hint)
        if header.value_slope is None:
            raise refuse("phase-unit-unknown", found=f"{header.vendor}, {header.component} images")


def _check_geometry(headers: Sequence[ImageHeader]) -> None:
    first = headers[0]
    directions = axes(first)
    corner = position_mm(first)[:2]
    b0_direction(first)
    for header in headers:
        if (header.rows, header.columns) != (first.rows, first.columns):
            raise refuse("unequal-geometry", found="Rows or Columns")
        spacing_mm = first.pixel_spacing_mm or ()
        if _differ(header.pixel_spacing_mm or (), spacing_mm, _SPACING_TOLERANCE * min(spacing_mm)):
            raise refuse("unequal-geometry", found="PixelSpacing")
        if any(_differ(a, b, _DIRECTION_TOLERANCE) for a, b in zip(axes(header), directions, strict=True)):
            raise refuse("unequal-geometry", found="ImageOrientationPatient")
        if _differ(position_mm(header)[:2], corner, IN_PLANE_TOLERANCE_MM):
            raise refuse("unequal-geometry", found="ImagePositionPatient within the slice plane")


def _check_scales(grid: SliceGrid) -> None:
    """Refuse real and imaginary images with scales of their own that nothing relates: their quotient is the phase."""
    for (echo, component, index), (real, *_) in grid.cells.items():
        (imaginary, *_) = grid.cells.get((echo, Component.IMAGINARY, index), (real,))
        if component is not Component.REAL or (real.on_common_scale and imaginary.on_common_scale):
            continue
        slopes = real.value_slope or 0.0, imaginary.value_slope or 0.0
        if abs(slopes[0] - slopes[1]) > _SCALE_TOLERANCE * abs(slopes[0]):
            raise refuse("unequal-scales", found=f"{slopes[0]:.4g} and {slopes[1]:.4g}")


def _differ(a: Sequence[float], b: Sequence[float], tolerance: float) -> bool:
    return len(a) != len(b) or any(abs(x - y) > tolerance for x, y in zip(a, b, strict=True))


def _check_grid(grid: SliceGrid, used: Sequence[ImageHeader], images: Sequence[ImageHeader]) -> Completeness:
    doubled = grid.describe(cell for cell, found in grid.cells.items() if len(found) > 1)
    if doubled:
        coils = max(len({image.coil for image in found}) for found in grid.cells.values())
        if coils > 1:
            raise refuse("uncombined-coils", found=coils)
        counts = {len(grid.cells.get(cell, ())) for cell in grid.all_cells()}
        everywhere = f"{max(counts)} at every place" if len(counts) == 1 else ""
        raise refuse("duplicate-slices", gaps=everywhere or "; ".join(doubled))
    _check_scales(grid)
    reason = None
    missing = grid.describe(cell for cell in grid.all_cells() if cell not in grid.cells)
    declared = missing_by_count(grid, used, images)
    if len(grid.positions_mm) == 1 and not missing:
        reason, missing = refuse("one-slice"), declared
    elif missing := missing + declared:
        reason = refuse("missing-slices", gaps="; ".join(missing))
    elif (step := uneven_step_mm(grid)) is not None:
        reason = refuse("uneven-spacing", found=f"{grid.spacing_mm:.3f} mm and {step:.3f} mm")
    elif missing := missing_between(grid, used):
        reason = refuse("missing-slices", gaps="; ".join(missing))
    elif grid.spacing_mm > _WIDEST_GAP * (thickness_mm := used[0].slice_thickness_mm or grid.spacing_mm):
        reason = refuse("slice-gaps", found=f"{grid.spacing_mm:.3g}", thickness=f"{thickness_mm:.3g}")
    return Completeness(
        state="incomplete" if reason else "complete",
        reason=reason,
        missing=missing,
        slices=grid,
        counted=is_counted(grid, images),
    )
