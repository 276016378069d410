"""Arrays in SI units from the images of an acquisition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom import dcmread

from dicom_io.errors import DicomError
from dicom_io.refusals import refuse
from dicom_io.source.acquisition.grid import SliceGrid
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.components import Component
from dicom_io.source.elements import Elements, tolerant
from dicom_io.source.folder import find_acquisitions
from dicom_io.source.header import ImageHeader
from dicom_io.source.main_field import b0_direction, b0_tesla
from dicom_io.source.phase_range import check_phase_range
from dicom_io.source.pixels import decode, read_native
from dicom_io.source.vendors import vendor_named
from recon.types import FloatArray, GradientEcho, Grid

_SLAB: Final = 16
"""Slices decoded before they are turned into the volume: 16 float32 along z fill a cache line."""

_IDENTITY: Final = ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "StudyID")

_Stacks = dict[Path, npt.NDArray[Any]]


def read_folder(folder: Path) -> GradientEcho:
    """Read the one gradient echo in a folder of DICOM images; other images may lie beside it.

    Parameters
    ----------
    folder
        Searched with all folders below it; hidden ones are left out.

    Returns
    -------
    GradientEcho
        As ``read_acquisition`` returns it: ``(echo, x, y, z)`` float32, phase in radians, echo times in seconds.

    Raises
    ------
    Refusal
        The acquisition is incomplete or cannot be reconstructed, with the reason.
    DicomError
        The folder holds no gradient echo, or several.
    """
    found = find_acquisitions(folder).acquisitions
    complete = [acquisition for acquisition in found if acquisition.completeness.reason is None]
    candidates = complete or found
    if len(candidates) != 1:
        kind = "complete acquisitions" if complete else "acquisitions"
        raise DicomError(f"{folder}: {len(candidates)} {kind}; give a folder with the images of one gradient echo")
    return read_acquisition(candidates[0])


def read_acquisition(acquisition: Acquisition) -> GradientEcho:
    """Decode a complete acquisition.

    Returns
    -------
    GradientEcho
        Magnitude (one linear scale over all echoes) and phase in radians, ``(echo, x, y, z)``; x along the
        row direction, y along the column direction, z along their cross product, slices ascending.

    Raises
    ------
    Refusal
        The acquisition is not complete, with the reason; or ``identity-differs``, ``unreadable-pixels``,
        ``phase-range``.
    """
    if acquisition.completeness.reason is not None:
        raise acquisition.completeness.reason
    check_identity(acquisition.headers)
    slices = acquisition.slices
    first = slices.first_echo[0]
    grid = image_grid(slices, first)
    shape = (len(slices.echo_times_s), *grid.shape)
    magnitude, phase_rad = np.empty(shape, np.float32), np.empty(shape, np.float32)
    stacks: _Stacks = {}
    for echo in range(shape[0]):
        for start in range(0, grid.shape[2], _SLAB):
            stop = min(start + _SLAB, grid.shape[2])
            slabs = {c: _read_slab(slices, echo, c, range(start, stop), stacks) for c in slices.components}
            polar = _polar(slabs)
            magnitude[echo, ..., start:stop], phase_rad[echo, ..., start:stop] = polar
    if Component.PHASE in slices.components:
        check_phase_range(phase_rad)
    restore_phase = vendor_named(acquisition.vendor).restore_phase
    if restore_phase is not None:
        restore_phase(magnitude, phase_rad)
    return GradientEcho(
        magnitude=magnitude,
        phase_rad=phase_rad,
        echo_times_s=slices.echo_times_s,
        b0_tesla=b0_tesla(first),
        grid=grid,
    )


def check_identity(headers: Sequence[ImageHeader]) -> None:
    """Make sure that all echoes and components are of one patient and request, looking at one image of each.

    A derived series takes what one of them says; if they disagree, an archive would file it under another patient or
    another request than half of its sources.

    Raises
    ------
    Refusal
        ``identity-differs``.
    """
    stacks = {(h.series_instance_uid, h.echo_time_s, h.component): h for h in headers}
    first: dict[str, object] = {}
    for path in dict.fromkeys(header.path for header in stacks.values()):
        with tolerant():
            found = Elements(dcmread(path, specific_tags=list(_IDENTITY), stop_before_pixels=True, force=True))
        for keyword in _IDENTITY:
            if first.setdefault(keyword, found.texts(keyword)) != found.texts(keyword):
                raise refuse("identity-differs", attribute=keyword)


def image_grid(slices: SliceGrid, header: ImageHeader) -> Grid:
    """Geometry of the volume; slice spacing is the mean distance of the positions, not SliceThickness."""
    if header.pixel_spacing_mm is None:
        raise refuse("no-geometry", attribute="PixelSpacing")
    between_rows_mm, between_columns_mm = header.pixel_spacing_mm
    count = len(slices.positions_mm)
    spacing_mm = round((slices.positions_mm[-1] - slices.positions_mm[0]) / (count - 1), 5)
    return Grid(
        shape=(header.columns, header.rows, count),
        voxel_size_mm=(between_columns_mm, between_rows_mm, spacing_mm),
        b0_direction=b0_direction(header),
    )


def _read_slab(slices: SliceGrid, echo: int, component: Component, indices: range, stacks: _Stacks) -> FloatArray:
    """Values of some slices, ``(x, y, z)``, in the vendor's units made linear."""
    headers = [slices.cells[echo, component, index][0] for index in indices]
    planes = np.empty((len(headers), headers[0].rows, headers[0].columns), np.float32)
    for plane, header in zip(planes, headers, strict=True):
        np.multiply(_stored_values(header, stacks), np.float32(header.value_slope), out=plane, casting="unsafe")
        plane += np.float32(header.value_intercept)
    return planes.transpose(2, 1, 0)


def _stored_values(header: ImageHeader, stacks: _Stacks) -> npt.NDArray[Any]:
    """Decode stored values ``(row, column)``; compressed multi-frame files are decoded once and kept."""
    try:
        if header.native is not None:
            return read_native(header.path, header.native, header.rows, header.columns, header.frame)
        stored = stacks.get(header.path)
        if stored is None:
            stored = decode(header.path, header.transfer_syntax_uid)
        if stored.ndim == 3:
            stacks[header.path] = stored
            stored = stored[header.frame]
    except Exception as error:  # decoders raise nearly anything on damaged pixel data
        raise refuse("unreadable-pixels", detail=type(error).__name__) from None
    if stored.shape != (header.rows, header.columns):
        raise refuse("unreadable-pixels", detail=f"shape {stored.shape}")
    return stored


def _polar(slabs: Mapping[Component, FloatArray]) -> tuple[FloatArray, FloatArray]:
    if Component.PHASE in slabs:
        return slabs[Component.MAGNITUDE], slabs[Component.PHASE]
    real, imaginary = slabs[Component.REAL], slabs[Component.IMAGINARY]
    magnitude = slabs.get(Component.MAGNITUDE)
    return np.hypot(real, imaginary) if magnitude is None else magnitude, np.arctan2(imaginary, real)
