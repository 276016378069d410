"""What the headers of an acquisition state about its protocol; what they do not state is None, never a guess."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from dicom_io.errors import Refusal
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.file import read_image_file
from dicom_io.source.header import ImageHeader
from dicom_io.source.main_field import b0_direction, b0_tesla
from dicom_io.source.vendors import vendor_named
from dicom_io.source.vendors.standard import ScanSettings

_WHOLE_SIGNAL: Final = (
    frozenset({Component.MAGNITUDE, Component.PHASE}),
    frozenset({Component.REAL, Component.IMAGINARY}),
)


@dataclass(frozen=True, kw_only=True)
class ProtocolFacts:
    """A protocol as its images describe it; None or empty where they do not.

    Parameters
    ----------
    b0_tesla, tilt_degrees
        Field strength, and the angle between the field and the slice normal.
    encoding
        ``"3D"``, ``"2D"`` or empty.
    is_spoiled
        Whether the sequence variant says that transverse magnetisation is spoiled.
    echo_times_s
        Increasing.
    whole_echoes
        How many echoes have magnitude and phase, or real and imaginary images.
    bandwidth_hz
        Readout bandwidth of one pixel.
    voxel_size_mm, thickness_mm
        Distances of voxels along the row, the column and the normal, and the stated thickness of a slice; of slices
        that have no places, the stated distance.
    extent_mm
        Length of the volume along the row, the column and the normal.
    zero_filling
        Ratio of stored to acquired points in plane, the larger of both directions.
    settings
        What the vendor states about the scan.
    distortion
        Term for the distortion correction of the phase.
    filter_hint
        The word that says the phase was filtered.
    weighted_beside
        Whether susceptibility weighted images of the scan are stored beside it.
    is_difference
        Whether the phase shows the difference between echoes.
    reason
        Code of the reason why the acquisition is not reconstructed; empty if it is.
    """

    vendor: str
    b0_tesla: float | None
    tilt_degrees: float | None
    encoding: str
    is_spoiled: bool | None
    echo_times_s: tuple[float, ...]
    whole_echoes: int
    repetition_time_s: float | None
    flip_angle_degrees: float | None
    bandwidth_hz: float | None
    voxel_size_mm: tuple[float, float, float] | None
    thickness_mm: float | None
    extent_mm: tuple[float, float, float] | None
    zero_filling: float | None
    settings: ScanSettings
    distortion: str
    filter_hint: str
    weighted_beside: bool
    is_difference: bool
    reason: str


def facts_of(acquisition: Acquisition, *, root: Path = Path()) -> ProtocolFacts:
    """Collect the facts from the headers, and from one image of the acquisition, which is read again.

    Its path is relative to ``root``.

    Raises
    ------
    Refusal
        That image cannot be read any more.
    """
    images = [header for header in acquisition.headers if header.component is not None] or list(acquisition.headers)
    first, phase = images[0], [image for image in images if image.component is not Component.MAGNITUDE]
    elements, reason = _elements_of(first, root), acquisition.completeness.reason
    repetition_ms = elements.number("RepetitionTime")
    voxel_size_mm, extent_mm = _voxels(acquisition, first)
    return ProtocolFacts(
        vendor=acquisition.vendor,
        b0_tesla=_field_strength(first),
        tilt_degrees=_tilt(first),
        encoding=elements.text("MRAcquisitionType"),
        is_spoiled=_is_spoiled(elements),
        echo_times_s=tuple(sorted({image.echo_time_s for image in images if image.echo_time_s is not None})),
        whole_echoes=_whole_echoes(images),
        repetition_time_s=None if repetition_ms is None else repetition_ms * 1e-3,
        flip_angle_degrees=elements.number("FlipAngle"),
        bandwidth_hz=elements.number("PixelBandwidth"),
        voxel_size_mm=voxel_size_mm,
        thickness_mm=first.slice_thickness_mm,
        extent_mm=extent_mm,
        zero_filling=_zero_filling(images),
        settings=vendor_named(acquisition.vendor).scan_settings(elements),
        distortion=next((image.distortion for image in phase if image.distortion), ""),
        filter_hint=next((image.filter_hint for image in images if image.filter_hint), ""),
        weighted_beside=any(image.weighted_beside for image in images),
        is_difference=any(image.phase_difference for image in phase),
        reason=reason.code if reason else "",
    )


def _elements_of(header: ImageHeader, root: Path) -> Elements:
    images = read_image_file(root / header.path).images()
    return Elements(next(islice(images, header.frame, None)))


def _field_strength(header: ImageHeader) -> float | None:
    try:
        return b0_tesla(header)
    except Refusal:
        return None


def _tilt(header: ImageHeader) -> float | None:
    try:
        along_normal = b0_direction(header)[2]
    except Refusal:
        return None
    return math.degrees(math.acos(min(1.0, abs(along_normal))))


def _is_spoiled(elements: Elements) -> bool | None:
    """Whether SequenceVariant states spoiling; None if it states nothing."""
    variant = set(elements.texts("SequenceVariant")) - {"NONE"}
    return "SP" in variant if variant else None


def _whole_echoes(images: Sequence[ImageHeader]) -> int:
    of_echo: dict[float | None, set[Component]] = defaultdict(set)
    for image in images:
        if image.component is not None:
            of_echo[image.echo_time_s].add(image.component)
    return sum(any(whole <= found for whole in _WHOLE_SIGNAL) for found in of_echo.values())


def _zero_filling(images: Sequence[ImageHeader]) -> float | None:
    for image in images:
        if image.acquired_matrix is not None:
            return max(image.rows / image.acquired_matrix[0], image.columns / image.acquired_matrix[1])
    return None


def _voxels(
    acquisition: Acquisition, header: ImageHeader
) -> tuple[tuple[float, float, float] | None, tuple[float, float, float] | None]:
    """Return voxel size and extent; without places, the size by the stated distance or thickness and no extent."""
    grid, spacing_mm = acquisition.completeness.slices, header.pixel_spacing_mm
    stated_mm = header.spacing_between_slices_mm or header.slice_thickness_mm
    between_mm = grid.spacing_mm if grid and grid.spacing_mm > 0 else stated_mm
    if spacing_mm is None or not between_mm:
        return None, None
    size_mm = (spacing_mm[1], spacing_mm[0], between_mm)
    if grid is None or grid.spacing_mm <= 0:
        return size_mm, None
    x, y, z = (n * size for n, size in zip((header.columns, header.rows, len(grid.positions_mm)), size_mm, strict=True))
    return size_mm, (x, y, z)
